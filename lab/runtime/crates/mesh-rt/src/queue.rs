//! Queues of words. In memory a queue is a list, front first.

use rt_export::export;

use crate::list::{of, words};
use crate::tuple;

#[export]
fn queue_new() -> *mut u8 {
    of(&[])
}

#[export]
unsafe fn queue_push(queue: *mut u8, element: u64) -> *mut u8 {
    of(&[unsafe { words(queue) }, &[element]].concat())
}

/// The front element and the rest, as a pair.
#[export]
unsafe fn queue_pop(queue: *mut u8) -> *mut u8 {
    match unsafe { words(queue) }.split_first() {
        Some((&front, rest)) => tuple::pair(front, of(rest) as u64) as *mut u8,
        None => panic!("{}queue_pop: empty queue", crate::prefix!()),
    }
}

#[export]
unsafe fn queue_peek(queue: *mut u8) -> u64 {
    match unsafe { words(queue) }.first() {
        Some(&front) => front,
        None => panic!("{}queue_peek: empty queue", crate::prefix!()),
    }
}

#[export]
unsafe fn queue_size(queue: *mut u8) -> i64 {
    unsafe { words(queue) }.len() as i64
}

#[export]
unsafe fn queue_is_empty(queue: *mut u8) -> i8 {
    unsafe { words(queue) }.is_empty() as i8
}
