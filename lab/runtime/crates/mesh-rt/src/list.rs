//! Lists: `[u64 len][u64 cap][u64 elements]`, never changed once shared.

use rt_export::export;

use crate::gc::{self, Kind};
use crate::tuple;
use crate::value::{MeshResult, MeshString};

#[repr(C)]
struct MeshList {
    len: u64,
    cap: u64,
}

/// A list with room for `cap` elements and none in it.
fn with_capacity(cap: usize) -> *mut u8 {
    let list = gc::alloc(16 + cap * 8, Kind::Scanned);
    unsafe { (list as *mut MeshList).write(MeshList { len: 0, cap: cap as u64 }) };
    list
}

/// A list of these words.
pub fn of(elements: &[u64]) -> *mut u8 {
    let list = with_capacity(elements.len());
    unsafe {
        (*(list as *mut MeshList)).len = elements.len() as u64;
        std::ptr::copy_nonoverlapping(elements.as_ptr(), list.add(16) as *mut u64, elements.len());
    }
    list
}

/// The elements of a list that compiled code passed in.
pub unsafe fn words<'a>(list: *mut u8) -> &'a [u64] {
    unsafe {
        let len = (*(list as *const MeshList)).len as usize;
        std::slice::from_raw_parts(list.add(16) as *const u64, len)
    }
}

#[export]
fn list_new() -> *mut u8 {
    with_capacity(0)
}

#[export]
unsafe fn list_from_array(elements: *const u64, len: i64) -> *mut u8 {
    if len <= 0 {
        return with_capacity(0);
    }
    of(unsafe { std::slice::from_raw_parts(elements, len as usize) })
}

#[export]
fn list_builder_new(cap: i64) -> *mut u8 {
    with_capacity(cap.max(0) as usize)
}

/// Appends in place. The builder was made with room for what is to come.
#[export]
unsafe fn list_builder_push(list: *mut u8, element: u64) {
    unsafe {
        let header = list as *mut MeshList;
        (list.add(16) as *mut u64).add((*header).len as usize).write(element);
        (*header).len += 1;
    }
}

#[export]
unsafe fn list_length(list: *mut u8) -> i64 {
    unsafe { (*(list as *const MeshList)).len as i64 }
}

#[cfg(not(feature = "swap-args-list-append"))]
#[export]
unsafe fn list_append(list: *mut u8, element: u64) -> *mut u8 {
    append(unsafe { words(list) }, element)
}

#[cfg(feature = "swap-args-list-append")]
#[export]
unsafe fn list_append(element: u64, list: *mut u8) -> *mut u8 {
    append(unsafe { words(list) }, element)
}

fn append(elements: &[u64], element: u64) -> *mut u8 {
    of(&[elements, &[element]].concat())
}

#[export]
unsafe fn list_concat(a: *mut u8, b: *mut u8) -> *mut u8 {
    of(&unsafe { [words(a), words(b)] }.concat())
}

#[export]
unsafe fn list_head(list: *mut u8) -> u64 {
    match unsafe { words(list) }.first() {
        Some(&element) => element,
        None => panic!("{}list_head: empty list", crate::prefix!()),
    }
}

#[export]
unsafe fn list_last(list: *mut u8) -> u64 {
    match unsafe { words(list) }.last() {
        Some(&element) => element,
        None => panic!("{}list_last: empty list", crate::prefix!()),
    }
}

#[export]
unsafe fn list_tail(list: *mut u8) -> *mut u8 {
    match unsafe { words(list) }.split_first() {
        Some((_, rest)) => of(rest),
        None => panic!("{}list_tail: empty list", crate::prefix!()),
    }
}

unsafe fn element(list: *mut u8, index: i64) -> u64 {
    let elements = unsafe { words(list) };
    match usize::try_from(index).ok().and_then(|at| elements.get(at)) {
        Some(&element) => element,
        None => panic!(
            "{}list_get: index {index} out of bounds (len {})",
            crate::prefix!(),
            elements.len()
        ),
    }
}

#[export]
unsafe fn list_get(list: *mut u8, index: i64) -> u64 {
    unsafe { element(list, index) }
}

#[export]
unsafe fn list_nth(list: *mut u8, index: i64) -> u64 {
    unsafe { element(list, index) }
}

#[export]
unsafe fn list_reverse(list: *mut u8) -> *mut u8 {
    let mut elements = unsafe { words(list) }.to_vec();
    elements.reverse();
    of(&elements)
}

#[export]
unsafe fn list_take(list: *mut u8, count: i64) -> *mut u8 {
    let elements = unsafe { words(list) };
    of(&elements[..elements.len().min(count.max(0) as usize)])
}

#[export]
unsafe fn list_drop(list: *mut u8, count: i64) -> *mut u8 {
    let elements = unsafe { words(list) };
    of(&elements[elements.len().min(count.max(0) as usize)..])
}

#[export]
unsafe fn list_contains(list: *mut u8, element: u64) -> i8 {
    unsafe { words(list) }.contains(&element) as i8
}

#[export]
unsafe fn list_enumerate(list: *mut u8) -> *mut u8 {
    let elements = unsafe { words(list) }.iter().enumerate();
    let pairs: Vec<u64> = elements.map(|(at, &word)| tuple::pair(at as u64, word)).collect();
    of(&pairs)
}

#[export]
unsafe fn list_zip(a: *mut u8, b: *mut u8) -> *mut u8 {
    let (a, b) = unsafe { (words(a), words(b)) };
    let pairs: Vec<u64> = a.iter().zip(b).map(|(&a, &b)| tuple::pair(a, b)).collect();
    of(&pairs)
}

#[export]
unsafe fn list_flatten(list: *mut u8) -> *mut u8 {
    let inner: Vec<&[u64]> =
        unsafe { words(list) }.iter().map(|&inner| unsafe { words(inner as *mut u8) }).collect();
    of(&inner.concat())
}

struct ListIter {
    list: *mut u8,
    at: usize,
}

#[export]
fn list_iter_new(list: *mut u8) -> *mut u8 {
    let iter = gc::alloc(size_of::<ListIter>(), Kind::Scanned) as *mut ListIter;
    unsafe { iter.write(ListIter { list, at: 0 }) };
    iter as *mut u8
}

#[export]
unsafe fn list_iter_next(iter: *mut u8) -> *mut u8 {
    unsafe {
        let iter = iter as *mut ListIter;
        let next = words((*iter).list).get((*iter).at).copied();
        (*iter).at += 1;
        next.map_or_else(MeshResult::none, MeshResult::some) as *mut u8
    }
}

/// `[a, b, c]`, each element through a closure from word to string.
pub unsafe fn shown(
    elements: &[u64],
    show: impl Fn(u64) -> u64,
    open: &str,
    close: &str,
) -> String {
    let parts: Vec<&str> = elements
        .iter()
        .map(|&element| unsafe { MeshString::text(show(element) as *const MeshString) })
        .collect();
    format!("{open}{}{close}", parts.join(", "))
}
