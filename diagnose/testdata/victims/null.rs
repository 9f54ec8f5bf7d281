// A raw pointer from a C interface that was never set.
#[repr(C)]
struct Config { version: u64, limit: u64 }
#[inline(never)]
fn current() -> *const Config { std::hint::black_box(std::ptr::null()) }
#[inline(never)]
fn limit() -> u64 { unsafe { (*current()).limit } }
fn main() { println!("{}", limit()); }
