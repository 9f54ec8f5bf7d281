// One panic of each kind whose words can be told from the stack and the constants alone; `which` is chosen when it is
// compiled (--cfg which="...").
use std::cell::RefCell;
use std::hint::black_box;

#[inline(never)]
fn fail() {
    let n = black_box(7usize);
    #[cfg(which = "bounds")]
    println!("{}", black_box(vec![1, 2, 3])[n]);
    #[cfg(which = "literal")]
    if n > 0 {
        panic!("the cache is gone");
    }
    #[cfg(which = "format")]
    if n > 0 {
        panic!("worker {} of {:>5} is gone", n, n + 1);
    }
    #[cfg(which = "unwrap")]
    println!("{}", black_box(None::<usize>).unwrap() + n);
    #[cfg(which = "expect")]
    println!("{}", black_box(None::<usize>).expect("a port") + n);
    #[cfg(which = "result")]
    println!("{}", black_box(Err::<usize, usize>(n)).expect("a good answer"));
    #[cfg(which = "borrow")]
    {
        let cell = RefCell::new(n);
        let first = cell.borrow_mut();
        println!("{} {}", first, black_box(&cell).borrow());
    }
    #[cfg(which = "divide")]
    println!("{}", n / black_box(0));
    #[cfg(which = "overflow")]
    println!("{}", black_box(3) - n);
}

fn main() {
    fail();
}
