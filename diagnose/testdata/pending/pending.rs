// Dies with half a line in its stdout buffer; the line before it was written.
fn main() {
    println!("one {}", 1);
    print!("half a line");
    let p = (std::env::args().count() - 1) as *const i32;
    unsafe { std::ptr::read_volatile(p.wrapping_add(4)) };
}
