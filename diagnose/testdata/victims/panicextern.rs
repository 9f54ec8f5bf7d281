// A panic inside an extern "C" function cannot unwind: the second panic is a consequence of the first.
#[inline(never)]
extern "C" fn on_event(code: i32) -> i32 { [1, 2, 3][code as usize] }
fn main() { let f: extern "C" fn(i32) -> i32 = on_event; println!("{}", std::hint::black_box(f)(9)); }
