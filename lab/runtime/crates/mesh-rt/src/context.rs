//! What runs on this thread right now: an actor's coroutine, the main thread
//! (PID 0), or neither.

use std::cell::{Cell, OnceCell};
use std::sync::Arc;
use std::time::{Duration, Instant};

use corosensei::Yielder;

use crate::heap::ActorHeap;
use crate::process::{Message, Process};

/// Reduction checks after which an actor lets others run.
pub const REDUCTIONS: u32 = 2000;

/// Why an actor gave up its worker.
#[derive(Clone, Copy, Debug)]
pub enum Wait {
    /// Only to be fair; run again at the next turn.
    Ready,
    /// Until a message is there, or the deadline passed.
    Message(Option<Instant>),
    /// Until the answer of this PID is there, or that PID is dead.
    Reply(u64),
    /// Until a moment.
    Until(Instant),
    /// For ever.
    Exit(u8),
}

impl Wait {
    /// Whether whoever waits so may run.
    pub fn over(self, process: &Process) -> bool {
        match self {
            Wait::Ready => true,
            Wait::Exit(_) => false,
            Wait::Until(moment) => Instant::now() >= moment,
            Wait::Message(deadline) => {
                process.has_message() || deadline.is_some_and(|at| Instant::now() >= at)
            }
            Wait::Reply(from) => process.has_reply() || !crate::process::alive(from),
        }
    }
}

/// Everything that belongs to one running actor and to no other thread.
pub struct Context {
    pub process: Arc<Process>,
    pub heap: ActorHeap,
    pub reductions: u32,
    /// Highest address of the coroutine's stack.
    pub stack_top: usize,
    /// Set by the coroutine itself as soon as it runs.
    pub yielder: *const Yielder<(), Wait>,
}

thread_local! {
    static CURRENT: Cell<*mut Context> = const { Cell::new(std::ptr::null_mut()) };
    static THREAD_PROCESS: OnceCell<Arc<Process>> = const { OnceCell::new() };
}

/// Names the actor this worker is about to resume, or none.
pub fn set_current(actor: *mut Context) {
    CURRENT.set(actor);
}

/// The actor whose coroutine runs on this thread.
///
/// The reference is good until the actor yields; a worker never runs two actors
/// at a time, so nobody else holds one.
pub fn current() -> Option<&'static mut Context> {
    unsafe { CURRENT.get().as_mut() }
}

/// Gives the calling thread a process of its own. Only the main thread has one.
pub fn adopt_thread(process: Arc<Process>) {
    THREAD_PROCESS.with(|cell| {
        let _ = cell.set(process);
    });
}

/// The process of the calling code, if it has one.
pub fn current_process() -> Option<Arc<Process>> {
    match current() {
        Some(actor) => Some(actor.process.clone()),
        None => THREAD_PROCESS.with(|cell| cell.get().cloned()),
    }
}

/// Gives up the worker until `wait` is over. The main thread blocks instead.
#[inline(never)]
pub fn yield_current(wait: Wait) {
    if let Some(actor) = current() {
        unsafe { (*actor.yielder).suspend(wait) };
        return;
    }
    let Some(process) = current_process() else {
        panic!("yield_current called outside of coroutine context");
    };
    while !wait.over(&process) {
        process.park(Duration::from_millis(10));
    }
}

/// Waits for a message and takes it; None when the deadline came first.
pub fn receive(process: &Process, deadline: Option<Instant>) -> Option<Message> {
    loop {
        if let Some(message) = process.take_message() {
            return Some(message);
        }
        if deadline.is_some_and(|at| Instant::now() >= at) {
            return None;
        }
        yield_current(Wait::Message(deadline));
    }
}
