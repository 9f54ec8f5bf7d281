// A reader asks for the write lock while it still has the read lock.
use std::sync::RwLock;

static TABLE: RwLock<Vec<u32>> = RwLock::new(Vec::new());

#[inline(never)]
fn insert(value: u32) {
    let table = TABLE.read().unwrap();
    if !table.contains(&value) {
        TABLE.write().unwrap().push(value);
    }
}

fn main() {
    insert(7);
    println!("{}", TABLE.read().unwrap().len());
}
