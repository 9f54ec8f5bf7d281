// A number that is called as a function, by a function that only jumps on: its frame is gone.
#[inline(never)]
fn apply(f: usize) -> i32 {
    let g: extern "C" fn(i32) -> i32 = unsafe { std::mem::transmute(f) };
    g(3)
}

fn main() {
    let n = std::env::args().count();
    println!("{}", apply(n * 4096 + 0x10));
}
