// A receiver waits for messages although its own spare sender is the only one left.
use std::sync::mpsc;
use std::thread;

#[inline(never)]
fn collect(results: mpsc::Receiver<u64>) -> u64 {
    results.iter().sum()
}

fn main() {
    let (sender, results) = mpsc::channel();
    for n in 0..2 {
        let sender = sender.clone();
        thread::spawn(move || sender.send(n).unwrap());
    }
    println!("{}", collect(results));
    drop(sender);
}
