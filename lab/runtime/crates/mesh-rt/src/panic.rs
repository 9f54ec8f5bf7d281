//! Panics that compiled code asks for.

use rt_export::export;

use crate::actor::bytes;

/// Ends the program: the panic cannot leave an `extern "C"` function, so Rust
/// turns it into an abort.
#[export]
unsafe fn panic(message: *const u8, len: u64, file: *const u8, file_len: u64, line: u32) -> ! {
    let message = String::from_utf8_lossy(unsafe { bytes(message, len) });
    let file = String::from_utf8_lossy(unsafe { bytes(file, file_len) });
    panic!("{} panic at {file}:{line}: {message}", crate::LANGUAGE);
}
