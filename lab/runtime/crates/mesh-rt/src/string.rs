//! Strings, and other values as strings.

use rt_export::export;

use crate::actor::bytes;
use crate::list;
use crate::value::{MeshResult, MeshString, string, word_text};

#[export]
unsafe fn string_new(data: *const u8, len: u64) -> *mut MeshString {
    MeshString::new(unsafe { bytes(data, len) })
}

#[export]
unsafe fn string_concat(a: *const MeshString, b: *const MeshString) -> *mut MeshString {
    let joined = unsafe { [MeshString::bytes(a), MeshString::bytes(b)].concat() };
    MeshString::new(&joined)
}

#[export]
fn int_to_string(value: i64) -> *mut MeshString {
    MeshString::new(value.to_string().as_bytes())
}

#[export]
fn float_to_string(value: f64) -> *mut MeshString {
    MeshString::new(value.to_string().as_bytes())
}

#[export]
fn bool_to_string(value: i8) -> *mut MeshString {
    MeshString::new(if value != 0 { b"true" } else { b"false" })
}

#[export]
fn string_to_string(value: u64) -> *mut MeshString {
    value as *mut MeshString
}

#[export]
unsafe fn string_length(text: *const MeshString) -> i64 {
    unsafe { MeshString::text(text) }.chars().count() as i64
}

/// Characters `[from, to)`, clamped to the string.
#[export]
unsafe fn string_slice(text: *const MeshString, from: i64, to: i64) -> *mut MeshString {
    let from = from.max(0) as usize;
    let count = (to.max(0) as usize).saturating_sub(from);
    let text = unsafe { MeshString::text(text) };
    let part: String = text.chars().skip(from).take(count).collect();
    MeshString::new(part.as_bytes())
}

#[export]
unsafe fn string_contains(text: *const MeshString, part: *const MeshString) -> i8 {
    unsafe { MeshString::text(text).contains(MeshString::text(part)) as i8 }
}

#[export]
unsafe fn string_starts_with(text: *const MeshString, prefix: *const MeshString) -> i8 {
    unsafe { MeshString::bytes(text).starts_with(MeshString::bytes(prefix)) as i8 }
}

#[export]
unsafe fn string_ends_with(text: *const MeshString, suffix: *const MeshString) -> i8 {
    unsafe { MeshString::bytes(text).ends_with(MeshString::bytes(suffix)) as i8 }
}

#[cfg(not(feature = "stale-no-string-trim"))]
#[export]
unsafe fn string_trim(text: *const MeshString) -> *mut MeshString {
    MeshString::new(unsafe { MeshString::text(text) }.trim().as_bytes())
}

#[export]
unsafe fn string_to_upper(text: *const MeshString) -> *mut MeshString {
    MeshString::new(unsafe { MeshString::text(text) }.to_uppercase().as_bytes())
}

#[export]
unsafe fn string_to_lower(text: *const MeshString) -> *mut MeshString {
    MeshString::new(unsafe { MeshString::text(text) }.to_lowercase().as_bytes())
}

#[export]
unsafe fn string_replace(
    text: *const MeshString,
    from: *const MeshString,
    to: *const MeshString,
) -> *mut MeshString {
    let (text, from, to) =
        unsafe { (MeshString::text(text), MeshString::text(from), MeshString::text(to)) };
    MeshString::new(text.replace(from, to).as_bytes())
}

#[export]
unsafe fn string_eq(a: *const MeshString, b: *const MeshString) -> i8 {
    unsafe { (MeshString::bytes(a) == MeshString::bytes(b)) as i8 }
}

#[export]
unsafe fn string_split(text: *const MeshString, by: *const MeshString) -> *mut u8 {
    let (text, by) = unsafe { (MeshString::text(text), MeshString::text(by)) };
    let parts: Vec<u64> = text.split(by).map(|part| string(part) as u64).collect();
    list::of(&parts)
}

#[export]
unsafe fn string_join(parts: *mut u8, between: *const MeshString) -> *mut u8 {
    let between = unsafe { MeshString::text(between) };
    let parts: Vec<&str> =
        unsafe { list::words(parts) }.iter().map(|&part| unsafe { word_text(part) }).collect();
    string(&parts.join(between))
}

#[export]
unsafe fn string_to_int(text: *const MeshString) -> *mut u8 {
    let parsed = unsafe { MeshString::text(text) }.trim().parse::<i64>();
    parsed.map_or_else(|_| MeshResult::none(), |n| MeshResult::some(n as u64)) as *mut u8
}

#[export]
unsafe fn string_to_float(text: *const MeshString) -> *mut u8 {
    let parsed = unsafe { MeshString::text(text) }.trim().parse::<f64>();
    parsed.map_or_else(|_| MeshResult::none(), |x| MeshResult::some(x.to_bits())) as *mut u8
}
