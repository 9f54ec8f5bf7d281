// A panic that is caught, then a clean end; with an argument, a stack overflow.
fn deep(n: u64) -> u64 {
    let mut room = [n; 512];
    std::hint::black_box(&mut room);
    deep(n + 1) + room[3]
}
fn main() {
    if std::env::args().count() > 1 {
        println!("{}", deep(0));
    }
    let r = std::panic::catch_unwind(|| panic!("on purpose"));
    println!("caught {}", r.is_err());
    let t = std::thread::spawn(|| { if std::hint::black_box(true) { panic!("in a thread") } });
    println!("joined with an error {}", t.join().is_err());
    std::process::exit(12);
}
