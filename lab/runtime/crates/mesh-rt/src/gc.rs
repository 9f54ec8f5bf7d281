//! Which heap an allocation comes from, and where a collection finds its roots.
//!
//! An actor allocates from its own heap and collects it itself, on its own
//! stack, so no two threads ever look at one heap. Threads without an actor
//! (the main thread among them) share an arena that is never collected.

use std::sync::{Mutex, PoisonError};

use rt_export::export;

use crate::context::{self, Context};
pub use crate::heap::Kind;
use crate::heap::{ActorHeap, Roots};

static ARENA: Mutex<ActorHeap> = Mutex::new(ActorHeap::new());

/// Allocates for whoever runs: the current actor, or the shared arena.
pub fn alloc(size: usize, kind: Kind) -> *mut u8 {
    match context::current() {
        Some(actor) => actor.heap.alloc(size, kind),
        None => alloc_shared(size, kind),
    }
}

/// Allocates from the arena that outlives every actor.
pub fn alloc_shared(size: usize, kind: Kind) -> *mut u8 {
    ARENA.lock().unwrap_or_else(PoisonError::into_inner).alloc(size, kind)
}

/// Moves a resource behind a handle: a plain box, of which the collector knows
/// nothing. The hypothetical `gc-moving-handles` runtime keeps it on a heap that
/// it traces, which is what makes a handle dangerous there.
pub fn into_handle<T>(resource: T) -> u64 {
    if cfg!(feature = "gc-moving-handles") {
        let place = alloc_shared(size_of::<T>(), Kind::Compiled) as *mut T;
        unsafe { place.write(resource) };
        return place as u64;
    }
    Box::into_raw(Box::new(resource)) as u64
}

/// Ends the life of what `into_handle` put away.
pub unsafe fn drop_handle<T>(handle: u64) {
    unsafe {
        if cfg!(feature = "gc-moving-handles") {
            std::ptr::drop_in_place(handle as *mut T);
            return;
        }
        drop(Box::from_raw(handle as *mut T));
    }
}

/// Collects the heap of the running actor.
///
/// Roots are the live part of its coroutine stack, the callee-saved registers
/// (compiled code may keep a value in one across the call that led here), and
/// messages that wait in its mailbox.
#[inline(never)]
fn collect_actor(actor: &mut Context) {
    let mut registers = [0usize; 6];
    unsafe {
        std::arch::asm!(
            "mov [{out}], rbx",
            "mov [{out} + 8], rbp",
            "mov [{out} + 16], r12",
            "mov [{out} + 24], r13",
            "mov [{out} + 32], r14",
            "mov [{out} + 40], r15",
            out = in(reg) registers.as_mut_ptr(),
            options(nostack),
        );
    }
    let here = registers.as_ptr() as usize;
    let mut roots = vec![Roots { from: here, to: actor.stack_top }];
    let mailbox = actor.process.lock_mailbox();
    for message in mailbox.iter() {
        let from = message.data.as_ptr() as usize;
        roots.push(Roots { from, to: from + message.data.len() });
    }
    actor.heap.collect(&roots);
}

/// Compiled code calls this in loops and at function entry: a chance to let
/// other actors run and to collect.
#[export]
fn reduction_check() {
    let Some(actor) = context::current() else { return };
    if actor.heap.wants_collect() {
        collect_actor(actor);
    }
    actor.reductions += 1;
    if actor.reductions >= context::REDUCTIONS {
        actor.reductions = 0;
        context::yield_current(context::Wait::Ready);
    }
}

#[export]
fn gc_collect() {
    if let Some(actor) = context::current() {
        collect_actor(actor);
    }
}

#[export]
fn gc_alloc(size: u64, _align: u64) -> *mut u8 {
    alloc_shared(size as usize, Kind::Compiled)
}

#[export]
fn gc_alloc_actor(size: u64, _align: u64) -> *mut u8 {
    alloc(size as usize, Kind::Compiled)
}
