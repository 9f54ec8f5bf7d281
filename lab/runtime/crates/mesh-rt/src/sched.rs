//! The scheduler: worker threads, each with its own actors, each actor a
//! coroutine on its own guarded stack.
//!
//! An actor never moves to another worker. Workers poll: an idle one sleeps for a
//! millisecond and looks again. Nothing catches a panic here; a worker that
//! panics is gone, and its actors with it.

use std::mem::ManuallyDrop;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use corosensei::stack::{DefaultStack, Stack};
use corosensei::{Coroutine, CoroutineResult};

use crate::context::{self, Context, Wait};
use crate::gc::Kind;
use crate::heap::ActorHeap;
use crate::process::{self, EXIT_NORMAL, Process};
use crate::timer;

/// Bytes of an actor's stack, above one guard page.
pub const STACK_SIZE: usize =
    if cfg!(feature = "stale-64k-stacks") || crate::OLD_ERA { 64 * 1024 } else { 512 * 1024 };

/// An actor that was asked for and not started yet.
struct Spawn {
    process: Arc<Process>,
    entry: usize,
    args: Box<[u8]>,
}

/// An actor that lives on a worker.
struct Task {
    // Dropping an unfinished coroutine unwinds it, and its stack is full of
    // `extern "C"` frames that would abort. A worker that dies of a panic
    // therefore leaves its actors behind, suspended for ever.
    coroutine: ManuallyDrop<Coroutine<(), Wait, (), DefaultStack>>,
    context: ManuallyDrop<Box<Context>>,
    wait: Wait,
}

static INBOXES: OnceLock<Vec<Mutex<Vec<Spawn>>>> = OnceLock::new();
static NEXT_WORKER: AtomicUsize = AtomicUsize::new(0);

/// Starts the workers, once. 0 means one per available processor.
pub fn start(workers: u32) {
    let count = match workers {
        0 => std::thread::available_parallelism().map_or(2, |n| n.get()),
        n => n as usize,
    };
    let mut first = false;
    INBOXES.get_or_init(|| {
        first = true;
        (0..count).map(|_| Mutex::default()).collect()
    });
    if first {
        for index in 0..count {
            std::thread::spawn(move || worker_loop(index));
        }
    }
}

/// Puts a new actor on the next worker in turn; returns its PID.
///
/// `entry` is an `extern "C" fn(*const u8)` that gets a copy of `args`.
pub fn spawn(entry: usize, args: &[u8]) -> u64 {
    let process = process::create();
    let pid = process.pid;
    let inboxes = INBOXES.get().expect("scheduler not initialised");
    let index = NEXT_WORKER.fetch_add(1, Ordering::Relaxed) % inboxes.len();
    let spawn = Spawn { process, entry, args: args.into() };
    inboxes[index].lock().expect("worker inbox").push(spawn);
    pid
}

/// Blocks until no actor is left.
pub fn wait_for_all() {
    while process::actors_alive() > 0 {
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn worker_loop(index: usize) {
    let mut tasks: Vec<Task> = Vec::new();
    loop {
        adopt(index, &mut tasks);
        timer::fire_due();
        let mut progress = false;
        let mut at = 0;
        while at < tasks.len() {
            let task = &mut tasks[at];
            if let Some(reason) = task.context.process.killed() {
                retire(tasks.swap_remove(at), reason);
                progress = true;
                continue;
            }
            if task.wait.over(&task.context.process) {
                progress = true;
                if let Some(reason) = run_actor(task) {
                    retire(tasks.swap_remove(at), reason);
                    continue;
                }
            }
            at += 1;
        }
        if !progress {
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

/// Turns waiting spawn requests into coroutines of this worker.
fn adopt(index: usize, tasks: &mut Vec<Task>) {
    let inbox = &INBOXES.get().expect("scheduler not initialised")[index];
    let waiting = std::mem::take(&mut *inbox.lock().expect("worker inbox"));
    tasks.extend(waiting.into_iter().map(Task::new));
}

/// Runs an actor until it yields; Some(reason) when that was the end of it.
#[inline(never)]
fn run_actor(task: &mut Task) -> Option<u8> {
    context::set_current(&mut **task.context);
    let outcome = task.coroutine.resume(());
    context::set_current(std::ptr::null_mut());
    match outcome {
        CoroutineResult::Yield(Wait::Exit(reason)) => Some(reason),
        CoroutineResult::Yield(wait) => {
            task.wait = wait;
            None
        }
        CoroutineResult::Return(()) => Some(EXIT_NORMAL),
    }
}

fn retire(mut task: Task, reason: u8) {
    // Frames of compiled code have nothing to clean up: an unfinished stack is
    // given back as it is.
    unsafe {
        task.coroutine.force_reset();
        ManuallyDrop::drop(&mut task.coroutine);
    }
    process::finish(&task.context.process, reason);
    unsafe { ManuallyDrop::drop(&mut task.context) };
}

impl Task {
    fn new(spawn: Spawn) -> Task {
        let stack = DefaultStack::new(STACK_SIZE).expect("failed to allocate coroutine stack");
        let mut context = Box::new(Context {
            process: spawn.process,
            heap: ActorHeap::new(),
            reductions: 0,
            stack_top: stack.base().get(),
            yielder: std::ptr::null(),
        });
        let args = copy_args(&mut context.heap, &spawn.args);
        let entry = spawn.entry;
        let coroutine = Coroutine::with_stack(stack, move |yielder, ()| {
            let actor = context::current().expect("an actor runs as its worker's current one");
            actor.yielder = yielder;
            type Entry = extern "C" fn(*const u8);
            let entry: Entry = unsafe { std::mem::transmute(entry) };
            entry(args as *const u8);
        });
        let coroutine = ManuallyDrop::new(coroutine);
        Task { coroutine, context: ManuallyDrop::new(context), wait: Wait::Ready }
    }
}

/// The argument buffer becomes an object of the actor's own heap.
fn copy_args(heap: &mut ActorHeap, args: &[u8]) -> *mut u8 {
    if args.is_empty() {
        return std::ptr::null_mut();
    }
    let copy = heap.alloc(args.len(), Kind::Scanned);
    unsafe { std::ptr::copy_nonoverlapping(args.as_ptr(), copy, args.len()) };
    copy
}
