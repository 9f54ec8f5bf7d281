//! Half-open ranges of Int: `[i64 from][i64 to]`.

use rt_export::export;

use crate::gc::{self, Kind};
use crate::list;
use crate::value::{Closure, MeshResult};

unsafe fn numbers(range: *mut u8) -> std::ops::Range<i64> {
    let [from, to] = unsafe { *(range as *const [i64; 2]) };
    from..to
}

fn words_of(from: i64, to: i64) -> *mut u8 {
    let range = gc::alloc(16, Kind::Leaf);
    unsafe { (range as *mut [i64; 2]).write([from, to]) };
    range
}

#[export]
fn range_new(from: i64, to: i64) -> *mut u8 {
    words_of(from, to)
}

#[export]
unsafe fn range_to_list(range: *mut u8) -> *mut u8 {
    let words: Vec<u64> = unsafe { numbers(range) }.map(|n| n as u64).collect();
    list::of(&words)
}

#[export]
unsafe fn range_length(range: *mut u8) -> i64 {
    let numbers = unsafe { numbers(range) };
    (numbers.end - numbers.start).max(0)
}

#[export]
unsafe fn range_map(range: *mut u8, code: *mut u8, env: *mut u8) -> *mut u8 {
    let f = Closure::new(code, env);
    let mapped: Vec<u64> =
        unsafe { numbers(range) }.map(|n| unsafe { f.call1(n as u64) }).collect();
    list::of(&mapped)
}

#[export]
unsafe fn range_filter(range: *mut u8, code: *mut u8, env: *mut u8) -> *mut u8 {
    let f = Closure::new(code, env);
    let numbers = unsafe { numbers(range) }.map(|n| n as u64);
    let kept: Vec<u64> = numbers.filter(|&n| unsafe { f.test(n) }).collect();
    list::of(&kept)
}

#[export]
fn range_iter_new(from: i64, to: i64) -> *mut u8 {
    words_of(from, to)
}

#[export]
unsafe fn range_iter_next(iter: *mut u8) -> *mut u8 {
    let iter = iter as *mut [i64; 2];
    unsafe {
        let [at, to] = *iter;
        if at >= to {
            return MeshResult::none() as *mut u8;
        }
        (*iter)[0] += 1;
        MeshResult::some(at as u64) as *mut u8
    }
}
