//! Sets of words. In memory a set is a list without duplicates.

use rt_export::export;

use crate::list::{of, shown, words};
use crate::value::{Closure, string};

fn with(elements: &[u64], element: u64) -> *mut u8 {
    if elements.contains(&element) {
        return of(elements);
    }
    of(&[elements, &[element]].concat())
}

fn filtered(elements: &[u64], keep: impl Fn(&u64) -> bool) -> *mut u8 {
    let kept: Vec<u64> = elements.iter().copied().filter(|element| keep(element)).collect();
    of(&kept)
}

#[export]
fn set_new() -> *mut u8 {
    of(&[])
}

#[export]
unsafe fn set_add(set: *mut u8, element: u64) -> *mut u8 {
    with(unsafe { words(set) }, element)
}

#[export]
unsafe fn set_remove(set: *mut u8, element: u64) -> *mut u8 {
    filtered(unsafe { words(set) }, |&other| other != element)
}

#[export]
unsafe fn set_contains(set: *mut u8, element: u64) -> i8 {
    unsafe { words(set) }.contains(&element) as i8
}

#[export]
unsafe fn set_size(set: *mut u8) -> i64 {
    unsafe { *(set as *const u64) as i64 }
}

#[export]
unsafe fn set_union(a: *mut u8, b: *mut u8) -> *mut u8 {
    let more = unsafe { words(b) };
    more.iter().fold(a, |set, &element| with(unsafe { words(set) }, element))
}

#[export]
unsafe fn set_intersection(a: *mut u8, b: *mut u8) -> *mut u8 {
    let (a, b) = unsafe { (words(a), words(b)) };
    filtered(a, |element| b.contains(element))
}

#[export]
unsafe fn set_difference(a: *mut u8, b: *mut u8) -> *mut u8 {
    let (a, b) = unsafe { (words(a), words(b)) };
    filtered(a, |element| !b.contains(element))
}

#[export]
unsafe fn set_to_list(set: *mut u8) -> *mut u8 {
    of(unsafe { words(set) })
}

#[export]
unsafe fn set_from_list(list: *mut u8) -> *mut u8 {
    let elements = unsafe { words(list) };
    elements.iter().fold(of(&[]), |set, &element| with(unsafe { words(set) }, element))
}

#[export]
unsafe fn set_element_at(set: *mut u8, index: i64) -> u64 {
    unsafe { words(set)[index as usize] }
}

#[export]
unsafe fn set_to_string(set: *mut u8, code: *mut u8) -> *mut u8 {
    let f = Closure::new(code, std::ptr::null_mut());
    string(&unsafe { shown(words(set), |element| f.call1(element), "#{", "}") })
}
