//! Values as compiled code sees them: the layouts at the `extern "C"` boundary.
//!
//! Nothing here is checked. Compiled code is trusted to pass what it declared,
//! which is exactly why a wrong declaration ends in a fault.

use crate::gc::{self, Kind};

/// A string: length, then that many bytes, no terminator.
#[repr(C)]
pub struct MeshString {
    pub len: u64,
}

impl MeshString {
    /// Copies `text` to the heap of the running actor.
    pub fn new(text: &[u8]) -> *mut MeshString {
        unsafe {
            let string = gc::alloc(8 + text.len(), Kind::Leaf) as *mut MeshString;
            (*string).len = text.len() as u64;
            std::ptr::copy_nonoverlapping(text.as_ptr(), string.add(1) as *mut u8, text.len());
            string
        }
    }

    /// The bytes of a string that compiled code passed in.
    pub unsafe fn bytes<'a>(string: *const MeshString) -> &'a [u8] {
        unsafe {
            let len = (*string).len as usize;
            std::slice::from_raw_parts(string.add(1) as *const u8, len)
        }
    }

    /// The text of a string; compiled code only ever builds UTF-8.
    pub unsafe fn text<'a>(string: *const MeshString) -> &'a str {
        unsafe { std::str::from_utf8_unchecked(MeshString::bytes(string)) }
    }
}

/// Copies `text` to the running actor's heap as an untyped pointer.
pub fn string(text: &str) -> *mut u8 {
    MeshString::new(text.as_bytes()) as *mut u8
}

/// Copies the text out of a string pointer held as a bare word.
pub unsafe fn word_text<'a>(word: u64) -> &'a str {
    unsafe { MeshString::text(word as *const MeshString) }
}

/// `{i8 tag, ptr}`: a Result or an Option, handed over by pointer.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct MeshResult {
    pub tag: u8,
    pub value: *mut u8,
}

pub type MeshOption = MeshResult;

/// Tag of Ok and Some. The older convention was the other way round.
pub const GOOD: u8 = if cfg!(feature = "tags-flipped") { 1 } else { 0 };
/// Tag of Err and None.
pub const BAD: u8 = 1 - GOOD;

impl MeshResult {
    pub fn alloc(tag: u8, value: *mut u8) -> *mut MeshResult {
        unsafe {
            let result = gc::alloc(size_of::<MeshResult>(), Kind::Scanned) as *mut MeshResult;
            result.write(MeshResult { tag, value });
            result
        }
    }

    pub fn ok(value: *mut u8) -> *mut MeshResult {
        MeshResult::alloc(GOOD, value)
    }

    pub fn err(message: &str) -> *mut MeshResult {
        MeshResult::alloc(BAD, string(message))
    }

    pub fn some(value: u64) -> *mut MeshResult {
        MeshResult::alloc(GOOD, value as *mut u8)
    }

    pub fn none() -> *mut MeshResult {
        MeshResult::alloc(BAD, std::ptr::null_mut())
    }
}

/// What a fallible runtime function returns: by pointer today, `{i8, ptr}` in
/// two registers in the era before.
#[cfg(not(feature = "result-by-value"))]
pub type ReturnedResult = *mut u8;
#[cfg(feature = "result-by-value")]
pub type ReturnedResult = MeshResult;

pub fn returned(result: *mut MeshResult) -> ReturnedResult {
    #[cfg(not(feature = "result-by-value"))]
    return result as *mut u8;
    #[cfg(feature = "result-by-value")]
    return unsafe { *result };
}

/// A closure as two words. A NULL environment means a bare function that takes
/// no environment parameter at all.
#[derive(Clone, Copy)]
pub struct Closure {
    pub code: *mut u8,
    pub env: *mut u8,
}

unsafe impl Send for Closure {}
unsafe impl Sync for Closure {}

impl Closure {
    pub fn new(code: *mut u8, env: *mut u8) -> Closure {
        Closure { code, env }
    }

    pub unsafe fn call1(self, a: u64) -> u64 {
        type Bare = extern "C" fn(u64) -> u64;
        type Full = extern "C" fn(u64, u64) -> u64;
        unsafe {
            if self.env.is_null() {
                return std::mem::transmute::<*mut u8, Bare>(self.code)(a);
            }
            let full = std::mem::transmute::<*mut u8, Full>(self.code);
            if cfg!(feature = "closure-env-last") {
                return full(a, self.env as u64);
            }
            full(self.env as u64, a)
        }
    }

    pub unsafe fn call2(self, a: u64, b: u64) -> u64 {
        type Bare = extern "C" fn(u64, u64) -> u64;
        type Full = extern "C" fn(u64, u64, u64) -> u64;
        unsafe {
            if self.env.is_null() {
                return std::mem::transmute::<*mut u8, Bare>(self.code)(a, b);
            }
            let full = std::mem::transmute::<*mut u8, Full>(self.code);
            if cfg!(feature = "closure-env-last") {
                return full(a, b, self.env as u64);
            }
            full(self.env as u64, a, b)
        }
    }

    pub unsafe fn call3(self, a: u64, b: u64, c: u64) -> u64 {
        type Bare = extern "C" fn(u64, u64, u64) -> u64;
        type Full = extern "C" fn(u64, u64, u64, u64) -> u64;
        unsafe {
            if self.env.is_null() {
                return std::mem::transmute::<*mut u8, Bare>(self.code)(a, b, c);
            }
            let full = std::mem::transmute::<*mut u8, Full>(self.code);
            if cfg!(feature = "closure-env-last") {
                return full(a, b, c, self.env as u64);
            }
            full(self.env as u64, a, b, c)
        }
    }

    /// A predicate: Bool results come back in one byte.
    pub unsafe fn test(self, a: u64) -> bool {
        unsafe { self.call1(a) as u8 & 1 != 0 }
    }
}
