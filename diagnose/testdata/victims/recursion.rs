// Recursion without an end; Rust prints a message and aborts.
#[inline(never)]
fn depth(n: u64, path: &[u64; 16]) -> u64 {
    let mut p = *path;
    p[(n % 16) as usize] = n;
    if n == u64::MAX { return p[0]; }
    depth(n + 1, std::hint::black_box(&p)) + p[1]
}
fn main() { println!("{}", depth(0, &[0; 16])); }
