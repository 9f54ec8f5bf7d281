//! The eager part of the iterator interface: an iterator over a list is the list
//! iterator, and consumers drain it.

use rt_export::export;

use crate::gc::{self, Kind};
use crate::list;
use crate::value::Closure;

/// A list and how far it was read; the same words as `list_iter_new` makes.
#[repr(C)]
struct Drain {
    list: *mut u8,
    at: u64,
}

unsafe fn rest<'a>(iter: *mut u8) -> &'a [u64] {
    unsafe {
        let drain = iter as *mut Drain;
        let elements = list::words((*drain).list);
        let from = ((*drain).at as usize).min(elements.len());
        (*drain).at = elements.len() as u64;
        &elements[from..]
    }
}

#[export]
fn iter_from(list: *mut u8) -> *mut u8 {
    let drain = gc::alloc(size_of::<Drain>(), Kind::Scanned) as *mut Drain;
    unsafe { drain.write(Drain { list, at: 0 }) };
    drain as *mut u8
}

#[export]
unsafe fn iter_count(iter: *mut u8) -> i64 {
    unsafe { rest(iter) }.len() as i64
}

#[export]
unsafe fn iter_sum(iter: *mut u8) -> i64 {
    unsafe { rest(iter) }.iter().fold(0, |sum, &word| i64::wrapping_add(sum, word as i64))
}

#[export]
unsafe fn iter_reduce(iter: *mut u8, first: u64, code: *mut u8, env: *mut u8) -> u64 {
    let f = Closure::new(code, env);
    unsafe { rest(iter) }.iter().fold(first, |sum, &word| unsafe { f.call2(sum, word) })
}

#[export]
unsafe fn list_collect(iter: *mut u8) -> *mut u8 {
    list::of(unsafe { rest(iter) })
}
