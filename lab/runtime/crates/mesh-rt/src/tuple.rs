//! Tuples in memory: `[u64 n][u64 elements]`.

use rt_export::export;

use crate::gc::{self, Kind};

/// A new pair, as a word.
pub fn pair(first: u64, second: u64) -> u64 {
    let tuple = gc::alloc(24, Kind::Scanned);
    unsafe { (tuple as *mut [u64; 3]).write([2, first, second]) };
    tuple as u64
}

unsafe fn element(tuple: *mut u8, index: i64) -> u64 {
    let count = unsafe { *(tuple as *const u64) };
    if index < 0 || index as u64 >= count {
        panic!("{}tuple_nth: index {index} out of bounds (len {count})", crate::prefix!());
    }
    unsafe { *(tuple as *const u64).add(1 + index as usize) }
}

#[export]
unsafe fn tuple_nth(tuple: *mut u8, index: i64) -> u64 {
    unsafe { element(tuple, index) }
}

#[export]
unsafe fn tuple_first(tuple: *mut u8) -> u64 {
    unsafe { element(tuple, 0) }
}

#[export]
unsafe fn tuple_second(tuple: *mut u8) -> u64 {
    unsafe { element(tuple, 1) }
}

#[export]
unsafe fn tuple_size(tuple: *mut u8) -> i64 {
    unsafe { *(tuple as *const u64) as i64 }
}
