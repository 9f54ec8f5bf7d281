//! Printing, standard input, and the helpers for results.

use std::io::{BufRead, Write};

use rt_export::export;

use crate::value::{GOOD, MeshResult, MeshString, string};

/// Writes to stdout, which Rust flushes at each line end, tty or not. Text after
/// the last line end stays in the buffer.
fn write_out(parts: &[&[u8]]) {
    let mut out = std::io::stdout().lock();
    for part in parts {
        let _ = out.write_all(part);
    }
}

/// Writes out what `print` left in the buffer.
pub fn flush() {
    let _ = std::io::stdout().lock().flush();
}

#[export]
unsafe fn print(text: *const MeshString) {
    write_out(&[unsafe { MeshString::bytes(text) }]);
}

#[export]
unsafe fn println(text: *const MeshString) {
    write_out(&[unsafe { MeshString::bytes(text) }, b"\n"]);
}

#[export]
unsafe fn io_eprintln(text: *const MeshString) {
    eprintln!("{}", unsafe { MeshString::text(text) });
}

#[export]
fn io_read_line() -> *mut MeshResult {
    let mut line = String::new();
    match std::io::stdin().lock().read_line(&mut line) {
        Ok(0) => MeshResult::err("end of input"),
        Ok(_) => MeshResult::ok(string(line.trim_end_matches('\n'))),
        Err(error) => MeshResult::err(&error.to_string()),
    }
}

#[export]
fn alloc_result(tag: i64, value: *mut u8) -> *mut u8 {
    MeshResult::alloc(tag as u8, value) as *mut u8
}

#[export]
unsafe fn result_is_ok(result: *mut u8) -> i64 {
    unsafe { ((*(result as *const MeshResult)).tag == GOOD) as i64 }
}

#[export]
unsafe fn result_unwrap(result: *mut u8) -> *mut u8 {
    unsafe { (*(result as *const MeshResult)).value }
}
