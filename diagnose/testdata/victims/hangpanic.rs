// A worker panics before it has signalled that it is done: main waits for ever.
use std::sync::{Condvar, Mutex};
use std::thread;

static DONE: Mutex<bool> = Mutex::new(false);
static SIGNAL: Condvar = Condvar::new();

#[inline(never)]
fn work(items: &[u32]) {
    let first = items[0];
    *DONE.lock().unwrap() = first > 0;
    SIGNAL.notify_one();
}

#[inline(never)]
fn wait() {
    let mut done = DONE.lock().unwrap();
    while !*done {
        done = SIGNAL.wait(done).unwrap();
    }
}

fn main() {
    let items: Vec<u32> = std::env::args().skip(1).map(|a| a.len() as u32).collect();
    thread::Builder::new().name("worker".into()).spawn(move || work(&items)).unwrap();
    wait();
}
