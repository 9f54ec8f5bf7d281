//! Panics that compiled code asks for.

use rt_export::export;

use crate::actor::bytes;

/// Ends the program: the panic cannot leave an `extern "C"` function, so Rust
/// turns it into an abort.
///
/// Nothing here has a destructor. With one alive, the unwinder finds only a
/// cleanup in this frame and no handler above it on the main thread, and the
/// end is "failed to initiate panic" instead.
#[export]
unsafe fn panic(message: *const u8, len: u64, file: *const u8, file_len: u64, line: u32) -> ! {
    let (message, file) = unsafe {
        let (message, file) = (bytes(message, len), bytes(file, file_len));
        (std::str::from_utf8_unchecked(message), std::str::from_utf8_unchecked(file))
    };
    panic!("{} panic at {file}:{line}: {message}", crate::LANGUAGE);
}
