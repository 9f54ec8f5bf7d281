//! Files, whole at a time.

#[cfg(not(feature = "stale-no-file-append"))]
use std::io::Write;

use rt_export::export;

use crate::value::{MeshResult, MeshString, string};

fn unit(outcome: std::io::Result<()>) -> *mut MeshResult {
    match outcome {
        Ok(()) => MeshResult::ok(std::ptr::null_mut()),
        Err(error) => MeshResult::err(&error.to_string()),
    }
}

#[export]
unsafe fn file_read(path: *const MeshString) -> *mut MeshResult {
    match std::fs::read_to_string(unsafe { MeshString::text(path) }) {
        Ok(text) => MeshResult::ok(string(&text)),
        Err(error) => MeshResult::err(&error.to_string()),
    }
}

#[export]
unsafe fn file_write(path: *const MeshString, text: *const MeshString) -> *mut MeshResult {
    unit(unsafe { std::fs::write(MeshString::text(path), MeshString::bytes(text)) })
}

#[cfg(not(feature = "stale-no-file-append"))]
#[export]
unsafe fn file_append(path: *const MeshString, text: *const MeshString) -> *mut MeshResult {
    let path = unsafe { MeshString::text(path) };
    let file = std::fs::OpenOptions::new().append(true).create(true).open(path);
    unit(file.and_then(|mut file| file.write_all(unsafe { MeshString::bytes(text) })))
}

#[export]
unsafe fn file_exists(path: *const MeshString) -> i8 {
    std::path::Path::new(unsafe { MeshString::text(path) }).exists() as i8
}

#[export]
unsafe fn file_delete(path: *const MeshString) -> *mut MeshResult {
    unit(std::fs::remove_file(unsafe { MeshString::text(path) }))
}
