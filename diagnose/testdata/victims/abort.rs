// A program that gives up with process::abort.
#[inline(never)]
fn verify(seal: u32) { if seal != 0x5eed { eprintln!("seal is broken"); std::process::abort(); } }
fn main() { verify(std::env::args().count() as u32); }
