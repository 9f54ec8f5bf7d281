//! Maps: `[u64 len][u64 (key_type << 56) | cap][key, value pairs]`, in order of
//! insertion and never changed once shared.

use rt_export::export;

use crate::gc::{self, Kind};
use crate::list;
use crate::tuple;
use crate::value::{Closure, MeshResult, MeshString, string, word_text};

/// Keys are compared as words.
const KEY_WORD: u64 = 0;
/// Keys are strings, compared by their text.
pub const KEY_STRING: u64 = 1;

#[repr(C)]
struct MeshMap {
    len: u64,
    typed_cap: u64,
}

/// A map of these pairs.
pub fn of(key_type: u64, pairs: &[[u64; 2]]) -> *mut u8 {
    let map = gc::alloc(16 + pairs.len() * 16, Kind::Scanned);
    unsafe {
        let typed_cap = key_type << 56 | pairs.len() as u64;
        (map as *mut MeshMap).write(MeshMap { len: pairs.len() as u64, typed_cap });
        let entries = map.add(16) as *mut [u64; 2];
        std::ptr::copy_nonoverlapping(pairs.as_ptr(), entries, pairs.len());
    }
    map
}

/// A map from strings to strings.
pub fn of_strings<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> *mut u8 {
    let pairs: Vec<[u64; 2]> =
        pairs.into_iter().map(|(k, v)| [string(k) as u64, string(v) as u64]).collect();
    of(KEY_STRING, &pairs)
}

/// The pairs of a map that compiled code passed in.
pub unsafe fn entries<'a>(map: *mut u8) -> &'a [[u64; 2]] {
    unsafe {
        let len = (*(map as *const MeshMap)).len as usize;
        std::slice::from_raw_parts(map.add(16) as *const [u64; 2], len)
    }
}

unsafe fn key_type(map: *mut u8) -> u64 {
    unsafe { (*(map as *const MeshMap)).typed_cap >> 56 }
}

unsafe fn position(map: *mut u8, key: u64) -> Option<usize> {
    unsafe {
        if key_type(map) == KEY_STRING {
            let key = word_text(key);
            return entries(map).iter().position(|entry| word_text(entry[0]) == key);
        }
        entries(map).iter().position(|entry| entry[0] == key)
    }
}

/// The map with one binding added or replaced.
pub unsafe fn with(map: *mut u8, key: u64, value: u64) -> *mut u8 {
    unsafe {
        let mut pairs = entries(map).to_vec();
        match position(map, key) {
            Some(at) => pairs[at][1] = value,
            None => pairs.push([key, value]),
        }
        of(key_type(map), &pairs)
    }
}

#[export]
fn map_new() -> *mut u8 {
    of(KEY_WORD, &[])
}

#[export]
fn map_new_typed(key_type: i64) -> *mut u8 {
    of(key_type as u64, &[])
}

/// Says that the keys are strings, for maps whose literal was built untyped.
#[export]
unsafe fn map_tag_string(map: *mut u8) -> *mut u8 {
    unsafe {
        let header = map as *mut MeshMap;
        (*header).typed_cap = (*header).typed_cap & !(0xff << 56) | KEY_STRING << 56;
    }
    map
}

#[export]
unsafe fn map_put(map: *mut u8, key: u64, value: u64) -> *mut u8 {
    unsafe { with(map, key, value) }
}

/// The value of a key, and 0 for a key that is not there.
#[export]
unsafe fn map_get(map: *mut u8, key: u64) -> u64 {
    unsafe { position(map, key).map_or(0, |at| entries(map)[at][1]) }
}

#[export]
unsafe fn map_has_key(map: *mut u8, key: u64) -> i8 {
    unsafe { position(map, key).is_some() as i8 }
}

#[export]
unsafe fn map_delete(map: *mut u8, key: u64) -> *mut u8 {
    unsafe {
        let mut pairs = entries(map).to_vec();
        if let Some(at) = position(map, key) {
            pairs.remove(at);
        }
        of(key_type(map), &pairs)
    }
}

#[export]
unsafe fn map_size(map: *mut u8) -> i64 {
    unsafe { (*(map as *const MeshMap)).len as i64 }
}

#[export]
unsafe fn map_keys(map: *mut u8) -> *mut u8 {
    let keys: Vec<u64> = unsafe { entries(map) }.iter().map(|entry| entry[0]).collect();
    list::of(&keys)
}

#[export]
unsafe fn map_values(map: *mut u8) -> *mut u8 {
    let values: Vec<u64> = unsafe { entries(map) }.iter().map(|entry| entry[1]).collect();
    list::of(&values)
}

#[cfg(not(feature = "stale-no-map-merge"))]
#[export]
unsafe fn map_merge(a: *mut u8, b: *mut u8) -> *mut u8 {
    unsafe { entries(b).iter().fold(a, |map, entry| with(map, entry[0], entry[1])) }
}

#[export]
unsafe fn map_entry_key(map: *mut u8, index: i64) -> u64 {
    unsafe { entries(map)[index as usize][0] }
}

#[export]
unsafe fn map_entry_value(map: *mut u8, index: i64) -> u64 {
    unsafe { entries(map)[index as usize][1] }
}

#[export]
unsafe fn map_to_list(map: *mut u8) -> *mut u8 {
    let pairs: Vec<u64> =
        unsafe { entries(map) }.iter().map(|entry| tuple::pair(entry[0], entry[1])).collect();
    list::of(&pairs)
}

#[export]
unsafe fn map_from_list(pairs: *mut u8) -> *mut u8 {
    let pairs = unsafe { list::words(pairs) };
    pairs.iter().fold(of(KEY_WORD, &[]), |map, &pair| unsafe {
        let pair = pair as *const u64;
        with(map, *pair.add(1), *pair.add(2))
    })
}

#[export]
unsafe fn map_to_string(map: *mut u8, show_key: *mut u8, show_value: *mut u8) -> *mut u8 {
    let none = std::ptr::null_mut();
    let (key, value) = (Closure::new(show_key, none), Closure::new(show_value, none));
    let parts: Vec<String> = unsafe { entries(map) }
        .iter()
        .map(|entry| unsafe {
            let (k, v) = (key.call1(entry[0]), value.call1(entry[1]));
            format!("{} => {}", word_text(k), word_text(v))
        })
        .collect();
    string(&format!("%{{{}}}", parts.join(", ")))
}

struct MapIter {
    map: *mut u8,
    at: usize,
}

#[export]
fn map_iter_new(map: *mut u8) -> *mut u8 {
    let iter = gc::alloc(size_of::<MapIter>(), Kind::Scanned) as *mut MapIter;
    unsafe { iter.write(MapIter { map, at: 0 }) };
    iter as *mut u8
}

#[export]
unsafe fn map_iter_next(iter: *mut u8) -> *mut u8 {
    unsafe {
        let iter = iter as *mut MapIter;
        let next = entries((*iter).map).get((*iter).at);
        (*iter).at += 1;
        let pair = next.map(|entry| tuple::pair(entry[0], entry[1]));
        pair.map_or_else(MeshResult::none, MeshResult::some) as *mut u8
    }
}

/// The text under a string key, for the runtime's own use.
pub unsafe fn text<'a>(map: *mut u8, key: &str) -> Option<&'a str> {
    unsafe {
        let entry = entries(map).iter().find(|entry| word_text(entry[0]) == key)?;
        Some(MeshString::text(entry[1] as *const MeshString))
    }
}
