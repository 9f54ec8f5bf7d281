// Two transfers in opposite directions take the same two locks in opposite order.
use std::sync::{Arc, Barrier, Mutex};
use std::thread;

#[inline(never)]
fn transfer(from: &Mutex<i64>, to: &Mutex<i64>, both: &Barrier) {
    let mut from = from.lock().unwrap();
    both.wait();
    let mut to = to.lock().unwrap();
    *from -= 1;
    *to += 1;
}

fn main() {
    let (savings, current, both) = (Arc::new(Mutex::new(100)), Arc::new(Mutex::new(100)), Arc::new(Barrier::new(2)));
    let (a, b, c) = (savings.clone(), current.clone(), both.clone());
    let spender = thread::Builder::new().name("spender".into()).spawn(move || transfer(&a, &b, &c)).unwrap();
    transfer(&current, &savings, &both);
    spender.join().unwrap();
    println!("done");
}
