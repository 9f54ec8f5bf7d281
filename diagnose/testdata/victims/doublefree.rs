// ptr::read makes a second owner of a Vec.
#[inline(never)]
fn twice(v: &Vec<u8>) -> usize { let copy = unsafe { std::ptr::read(v) }; copy.len() }
fn main() {
    let keep = vec![1u8; 100];
    let v = vec![7u8; 3000];
    let n = twice(&v);
    println!("{} {}", n, keep.len());
    drop(v);
}
