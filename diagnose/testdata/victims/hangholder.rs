// Workers wait for a Mutex whose owner sleeps for a day with it.
use std::sync::{mpsc, Mutex};
use std::thread;
use std::time::Duration;

static CACHE: Mutex<u64> = Mutex::new(0);

#[inline(never)]
fn refresh(begun: mpsc::Sender<()>) {
    let mut cache = CACHE.lock().unwrap();
    begun.send(()).unwrap();
    thread::sleep(Duration::from_secs(86400));
    *cache += 1;
}

#[inline(never)]
fn lookup() -> u64 {
    *CACHE.lock().unwrap()
}

fn main() {
    let (begun, wait) = mpsc::channel();
    let refresher = thread::spawn(|| refresh(begun));
    wait.recv().unwrap();
    println!("{}", lookup());
    refresher.join().unwrap();
}
