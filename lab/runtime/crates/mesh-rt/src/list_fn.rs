//! Lists and functions: everything that calls back into compiled code.

use std::cmp::Ordering;

use rt_export::export;

use crate::list::{of, shown, words};
use crate::value::{Closure, MeshResult, string};

#[export]
unsafe fn list_map(list: *mut u8, code: *mut u8, env: *mut u8) -> *mut u8 {
    let f = Closure::new(code, env);
    let mapped: Vec<u64> =
        unsafe { words(list) }.iter().map(|&element| unsafe { f.call1(element) }).collect();
    of(&mapped)
}

#[export]
unsafe fn list_filter(list: *mut u8, code: *mut u8, env: *mut u8) -> *mut u8 {
    let f = Closure::new(code, env);
    let mut kept = unsafe { words(list) }.to_vec();
    kept.retain(|&element| unsafe { f.test(element) });
    of(&kept)
}

#[export]
unsafe fn list_reduce(list: *mut u8, first: u64, code: *mut u8, env: *mut u8) -> u64 {
    let f = Closure::new(code, env);
    let elements = unsafe { words(list) };
    elements.iter().fold(first, |sum, &element| unsafe { f.call2(sum, element) })
}

#[export]
unsafe fn list_flat_map(list: *mut u8, code: *mut u8, env: *mut u8) -> *mut u8 {
    let f = Closure::new(code, env);
    let inner: Vec<&[u64]> = unsafe { words(list) }
        .iter()
        .map(|&element| unsafe { words(f.call1(element) as *mut u8) })
        .collect();
    of(&inner.concat())
}

#[export]
unsafe fn list_find(list: *mut u8, code: *mut u8, env: *mut u8) -> *mut u8 {
    let f = Closure::new(code, env);
    let found = unsafe { words(list) }.iter().find(|&&element| unsafe { f.test(element) });
    found.map_or_else(MeshResult::none, |&word| MeshResult::some(word)) as *mut u8
}

#[cfg(not(feature = "stale-no-list-any"))]
#[export]
unsafe fn list_any(list: *mut u8, code: *mut u8, env: *mut u8) -> i8 {
    let f = Closure::new(code, env);
    unsafe { words(list) }.iter().any(|&element| unsafe { f.test(element) }) as i8
}

#[export]
unsafe fn list_all(list: *mut u8, code: *mut u8, env: *mut u8) -> i8 {
    let f = Closure::new(code, env);
    unsafe { words(list) }.iter().all(|&element| unsafe { f.test(element) }) as i8
}

/// Sorts by a comparison that returns a negative, zero or positive Int.
#[export]
unsafe fn list_sort(list: *mut u8, code: *mut u8, env: *mut u8) -> *mut u8 {
    let f = Closure::new(code, env);
    let mut sorted = unsafe { words(list) }.to_vec();
    sorted.sort_by(|&a, &b| (unsafe { f.call2(a, b) } as i64).cmp(&0));
    of(&sorted)
}

#[export]
unsafe fn list_eq(a: *mut u8, b: *mut u8, code: *mut u8) -> i8 {
    let f = Closure::new(code, std::ptr::null_mut());
    let (a, b) = unsafe { (words(a), words(b)) };
    let same = |(&a, &b): (&u64, &u64)| unsafe { f.call2(a, b) as u8 & 1 != 0 };
    (a.len() == b.len() && a.iter().zip(b).all(same)) as i8
}

#[export]
unsafe fn list_compare(a: *mut u8, b: *mut u8, code: *mut u8) -> i64 {
    let f = Closure::new(code, std::ptr::null_mut());
    let (a, b) = unsafe { (words(a), words(b)) };
    for (&a, &b) in a.iter().zip(b) {
        let order = unsafe { f.call2(a, b) } as i64;
        if order != 0 {
            return order;
        }
    }
    match a.len().cmp(&b.len()) {
        Ordering::Less => -1,
        Ordering::Equal => 0,
        Ordering::Greater => 1,
    }
}

#[export]
unsafe fn list_to_string(list: *mut u8, code: *mut u8) -> *mut u8 {
    let f = Closure::new(code, std::ptr::null_mut());
    string(&unsafe { shown(words(list), |element| f.call1(element), "[", "]") })
}
