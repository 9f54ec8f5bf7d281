//! A coroutine that faults: the stack that the unwinder sees ends in corosensei's trampoline and goes on in the resumer.
use corosensei::{Coroutine, CoroutineResult};
use std::hint::black_box;

#[inline(never)]
fn deepest(p: *mut u64) {
    unsafe { p.write_volatile(1) };
    black_box(());
}

#[inline(always)]
fn inlined_helper(p: *mut u64) {
    deepest(black_box(p));
    black_box(());
}

#[inline(never)]
fn actor_body(n: u64) {
    inlined_helper(black_box(n as *mut u64));
    black_box(());
}

#[inline(never)]
fn resume_it() {
    let mut c: Coroutine<u64, u64, ()> = Coroutine::new(|y, first| {
        let n = y.suspend(first);
        actor_body(n);
    });
    for n in [5u64, 16] {
        match c.resume(black_box(n)) {
            CoroutineResult::Yield(v) => { black_box(v); }
            CoroutineResult::Return(()) => return,
        }
    }
    black_box(());
}

#[inline(never)]
fn worker() {
    resume_it();
    black_box(());
}

fn main() {
    if std::env::args().nth(1).as_deref() == Some("thread") {
        std::thread::spawn(|| worker()).join().unwrap();
    } else {
        worker();
    }
}
