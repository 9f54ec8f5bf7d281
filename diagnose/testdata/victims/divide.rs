// Rust checks divisors: this is a panic, not SIGFPE.
#[inline(never)]
fn average(sum: i64, n: i64) -> i64 { sum / n }
fn main() { println!("{}", average(10, std::env::args().count() as i64 - 1)); }
