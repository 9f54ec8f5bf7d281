// A freed box is read; std's own symbols have made the heap large by then.
use std::collections::HashMap;
struct Reg { map: HashMap<u32, Box<[u64; 64]>> }
#[inline(never)] fn peek(r: &Reg, k: u32) -> *const u64 { r.map.get(&k).unwrap().as_ptr() }
#[inline(never)] fn use_it(p: *const *const u64) -> u64 { unsafe { **p } }
fn main() { let mut r = Reg { map: HashMap::new() }; r.map.insert(1, Box::new([7; 64])); let p = peek(&r, 1); r.map.remove(&1); println!("{}", use_it(p as *const *const u64)); }
