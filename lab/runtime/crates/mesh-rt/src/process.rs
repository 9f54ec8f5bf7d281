//! Processes: PID, mailbox, links and monitors, and the table of the living.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::Duration;

use crate::registry;

/// Tag of an answer to a service call.
pub const TAG_REPLY: u64 = u64::MAX;
/// Tag of the message a linked process gets if it traps exits.
pub const TAG_EXIT: u64 = u64::MAX - 1;
/// Tag of the message a monitoring process gets.
pub const TAG_DOWN: u64 = u64::MAX - 2;

/// Exit reason of a process that simply returned.
pub const EXIT_NORMAL: u8 = 0;

/// A flat copy of the words that were sent.
pub struct Message {
    pub tag: u64,
    pub data: Box<[u8]>,
}

impl Message {
    pub fn of_words(tag: u64, words: &[u64]) -> Message {
        Message { tag, data: words.iter().flat_map(|word| word.to_ne_bytes()).collect() }
    }
}

/// One actor as the others see it.
pub struct Process {
    pub pid: u64,
    mailbox: Mutex<VecDeque<Message>>,
    arrived: Condvar,
    pub trap_exit: AtomicBool,
    /// Set by others to end it: 0 while it may live, else reason + 1.
    killed: AtomicU8,
    links: Mutex<BTreeSet<u64>>,
    monitors: Mutex<Vec<(u64, u64)>>,
    pub terminate: AtomicUsize,
}

static TABLE: Mutex<BTreeMap<u64, Arc<Process>>> = Mutex::new(BTreeMap::new());
static NEXT_PID: AtomicU64 = AtomicU64::new(0);
static NEXT_REFERENCE: AtomicU64 = AtomicU64::new(1);

fn table() -> MutexGuard<'static, BTreeMap<u64, Arc<Process>>> {
    TABLE.lock().expect("process table")
}

/// A new living process. The first one made is PID 0, the main thread.
pub fn create() -> Arc<Process> {
    let process = Arc::new(Process {
        pid: NEXT_PID.fetch_add(1, Ordering::Relaxed),
        mailbox: Mutex::default(),
        arrived: Condvar::new(),
        trap_exit: AtomicBool::new(false),
        killed: AtomicU8::new(0),
        links: Mutex::default(),
        monitors: Mutex::default(),
        terminate: AtomicUsize::new(0),
    });
    table().insert(process.pid, process.clone());
    process
}

pub fn find(pid: u64) -> Option<Arc<Process>> {
    table().get(&pid).cloned()
}

pub fn alive(pid: u64) -> bool {
    table().contains_key(&pid)
}

/// Number of living processes, the main thread not counted.
pub fn actors_alive() -> usize {
    table().keys().filter(|&&pid| pid != 0).count()
}

/// Delivers to a living process; false when there is none of that PID.
pub fn send(pid: u64, message: Message) -> bool {
    match find(pid) {
        Some(process) => {
            process.deliver(message);
            true
        }
        None => false,
    }
}

impl Process {
    pub fn lock_mailbox(&self) -> MutexGuard<'_, VecDeque<Message>> {
        self.mailbox.lock().expect("mailbox")
    }

    fn deliver(&self, message: Message) {
        self.lock_mailbox().push_back(message);
        self.arrived.notify_one();
    }

    pub fn has_message(&self) -> bool {
        !self.lock_mailbox().is_empty()
    }

    pub fn has_reply(&self) -> bool {
        self.lock_mailbox().iter().any(|message| message.tag == TAG_REPLY)
    }

    pub fn take_message(&self) -> Option<Message> {
        self.lock_mailbox().pop_front()
    }

    /// Takes the first answer, past any other message.
    pub fn take_reply(&self) -> Option<Message> {
        let mut mailbox = self.lock_mailbox();
        let at = mailbox.iter().position(|message| message.tag == TAG_REPLY)?;
        mailbox.remove(at)
    }

    /// Blocks the thread until something arrives or `limit` passed.
    pub fn park(&self, limit: Duration) {
        let mailbox = self.lock_mailbox();
        let _ = self.arrived.wait_timeout(mailbox, limit);
    }

    pub fn kill(&self, reason: u8) {
        self.killed.store(reason.saturating_add(1), Ordering::Release);
    }

    /// The reason another process gave for ending this one.
    pub fn killed(&self) -> Option<u8> {
        self.killed.load(Ordering::Acquire).checked_sub(1)
    }

    /// Ties the fates of two processes.
    pub fn link(&self, other: &Process) {
        self.links.lock().expect("links").insert(other.pid);
        other.links.lock().expect("links").insert(self.pid);
    }

    /// Asks for a message to `watcher` when this process ends.
    #[cfg_attr(feature = "stale-no-process-monitor", expect(dead_code))]
    pub fn monitor(&self, watcher: u64) -> u64 {
        let reference = NEXT_REFERENCE.fetch_add(1, Ordering::Relaxed);
        self.monitors.lock().expect("monitors").push((reference, watcher));
        reference
    }

    /// Forgets a monitor; true if it was one of this process.
    fn demonitor(&self, reference: u64) -> bool {
        let mut monitors = self.monitors.lock().expect("monitors");
        let before = monitors.len();
        monitors.retain(|&(known, _)| known != reference);
        monitors.len() != before
    }
}

/// Forgets a monitor wherever it is.
pub fn demonitor(reference: u64) -> bool {
    let all: Vec<_> = table().values().cloned().collect();
    all.iter().any(|process| process.demonitor(reference))
}

/// Takes a process out of the world and tells those who care.
pub fn finish(process: &Process, reason: u8) {
    table().remove(&process.pid);
    registry::forget(process.pid);
    run_terminate(process, reason);
    for pid in process.links.lock().expect("links").iter() {
        propagate(process.pid, *pid, reason);
    }
    for (reference, watcher) in process.monitors.lock().expect("monitors").iter() {
        let words = [*reference, process.pid, reason as u64];
        send(*watcher, Message::of_words(TAG_DOWN, &words));
    }
}

fn run_terminate(process: &Process, reason: u8) {
    let callback = process.terminate.load(Ordering::Acquire);
    if callback != 0 {
        type Terminate = extern "C" fn(u64, u64);
        let callback: Terminate = unsafe { std::mem::transmute(callback) };
        callback(process.pid, reason as u64);
    }
}

/// Passes an exit on to one linked process.
fn propagate(dead: u64, linked: u64, reason: u8) {
    if cfg!(feature = "link-unwrap") {
        // Whoever of the two ended first is no longer in the table.
        let linked = find(linked).unwrap();
        signal_exit(dead, &linked, reason);
        return;
    }
    if let Some(linked) = find(linked) {
        linked.links.lock().expect("links").remove(&dead);
        signal_exit(dead, &linked, reason);
    }
}

fn signal_exit(dead: u64, linked: &Process, reason: u8) {
    if linked.trap_exit.load(Ordering::Acquire) {
        linked.deliver(Message::of_words(TAG_EXIT, &[dead, reason as u64]));
    } else if reason != EXIT_NORMAL {
        linked.kill(reason);
    }
}
