//! Hashes (FNV-1a), as derived code combines them.

use rt_export::export;

use crate::value::MeshString;

const OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
const PRIME: u64 = 0x0000_0100_0000_01b3;

fn fnv(bytes: &[u8]) -> i64 {
    let hash = bytes.iter().fold(OFFSET, |hash, &byte| (hash ^ byte as u64).wrapping_mul(PRIME));
    hash as i64
}

#[export]
fn hash_int(value: i64) -> i64 {
    fnv(&value.to_ne_bytes())
}

#[export]
fn hash_float(value: f64) -> i64 {
    fnv(&value.to_bits().to_ne_bytes())
}

#[export]
fn hash_bool(value: i8) -> i64 {
    fnv(&[value as u8])
}

#[export]
unsafe fn hash_string(value: *const MeshString) -> i64 {
    fnv(unsafe { MeshString::bytes(value) })
}

#[export]
fn hash_combine(a: i64, b: i64) -> i64 {
    let mixed = (a as u64).rotate_left(5) ^ b as u64;
    mixed.wrapping_mul(PRIME) as i64
}
