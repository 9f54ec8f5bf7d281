//! Reading rows, as derived `from_row` code does.

use rt_export::export;

use crate::map;
use crate::value::{MeshResult, string, word_text};

/// The text of a column: Ok(String), or Err naming the column.
#[export]
unsafe fn row_from_row_get(row: *mut u8, column: *mut u8) -> *mut u8 {
    let column = unsafe { word_text(column as u64) };
    let result = match unsafe { map::text(row, column) } {
        Some(text) => MeshResult::ok(string(text)),
        None => MeshResult::err(&format!("missing column: {column}")),
    };
    result as *mut u8
}

fn parsed(value: Option<u64>, text: &str, wanted: &str) -> *mut u8 {
    let result = match value {
        Some(word) => MeshResult::ok(word as *mut u8),
        None => MeshResult::err(&format!("cannot parse {text:?} as {wanted}")),
    };
    result as *mut u8
}

#[export]
unsafe fn row_parse_int(text: *mut u8) -> *mut u8 {
    let text = unsafe { word_text(text as u64) };
    parsed(text.parse::<i64>().ok().map(|n| n as u64), text, "Int")
}

#[export]
unsafe fn row_parse_float(text: *mut u8) -> *mut u8 {
    let text = unsafe { word_text(text as u64) };
    parsed(text.parse::<f64>().ok().map(f64::to_bits), text, "Float")
}

#[export]
unsafe fn row_parse_bool(text: *mut u8) -> *mut u8 {
    let text = unsafe { word_text(text as u64) };
    let truth = match text {
        "t" | "true" | "1" => Some(1),
        "f" | "false" | "0" => Some(0),
        _ => None,
    };
    parsed(truth, text, "Bool")
}
