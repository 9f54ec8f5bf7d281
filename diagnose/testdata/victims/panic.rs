// unwrap on None.
use std::collections::HashMap;
#[inline(never)]
fn price(m: &HashMap<&str, u32>, k: &str) -> u32 { *m.get(k).unwrap() }
fn main() {
    let m = HashMap::from([("tea", 3)]);
    println!("{}", price(&m, "tea"));
    println!("{}", price(&m, "coffee"));
}
