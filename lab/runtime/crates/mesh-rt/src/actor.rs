//! Actors as compiled code uses them.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use rt_export::export;

use crate::context::{self, Wait, current_process};
use crate::gc::{self, Kind};
use crate::process::{self, Message};
use crate::value::MeshString;
use crate::{registry, sched};

/// What `actor_self` says where there is no process.
pub const NO_PID: u64 = u64::MAX;

/// Copies a message out of the sender's memory; its first word is its tag.
pub unsafe fn message_from(data: *const u8, len: u64) -> Message {
    unsafe {
        let data = bytes(data, len);
        let tag = data.first_chunk::<8>().map_or(0, |word| u64::from_ne_bytes(*word));
        Message { tag, data: data.into() }
    }
}

pub(crate) unsafe fn bytes<'a>(data: *const u8, len: u64) -> &'a [u8] {
    if len == 0 {
        return &[];
    }
    unsafe { std::slice::from_raw_parts(data, len as usize) }
}

unsafe fn name<'a>(data: *const u8, len: u64) -> &'a str {
    unsafe { std::str::from_utf8_unchecked(bytes(data, len)) }
}

/// Copies a message to the receiver's heap, behind `[u64 tag][u64 len]`.
pub fn deliver(message: &Message) -> *const u8 {
    let place = gc::alloc(16 + message.data.len(), Kind::Scanned);
    unsafe {
        (place as *mut [u64; 2]).write([message.tag, message.data.len() as u64]);
        std::ptr::copy_nonoverlapping(message.data.as_ptr(), place.add(16), message.data.len());
    }
    place
}

#[export]
fn rt_init() {
    // Everything global is made at its first use; the call stays, because
    // every generated main makes it.
}

#[export]
fn rt_init_actor(workers: u32) {
    if current_process().is_none() {
        context::adopt_thread(process::create());
    }
    sched::start(workers);
}

#[export]
fn rt_run_scheduler() {
    sched::wait_for_all();
    crate::io::flush();
}

#[export]
unsafe fn actor_spawn(entry: *const u8, args: *const u8, size: u64, _priority: u8) -> u64 {
    sched::spawn(entry as usize, unsafe { bytes(args, size) })
}

#[export]
fn actor_self() -> u64 {
    current_process().map_or(NO_PID, |process| process.pid)
}

#[export]
unsafe fn actor_send(pid: u64, data: *const u8, len: u64) {
    process::send(pid, unsafe { message_from(data, len) });
}

/// Waits for the next message: for ever if `timeout` (milliseconds) is negative.
/// NULL when none came.
#[export]
fn actor_receive(timeout: i64) -> *const u8 {
    let Some(process) = current_process() else { return std::ptr::null() };
    let deadline = (timeout >= 0).then(|| Instant::now() + Duration::from_millis(timeout as u64));
    match context::receive(&process, deadline) {
        Some(message) => deliver(&message),
        None => std::ptr::null(),
    }
}

#[export]
fn actor_link(pid: u64) {
    if let (Some(this), Some(other)) = (current_process(), process::find(pid)) {
        this.link(&other);
    }
}

#[export]
fn actor_trap_exit() {
    if let Some(this) = current_process() {
        this.trap_exit.store(true, Ordering::Release);
    }
}

#[export]
fn actor_set_terminate(pid: u64, callback: *const u8) {
    if let Some(process) = process::find(pid) {
        process.terminate.store(callback as usize, Ordering::Release);
    }
}

#[export]
fn actor_exit(pid: u64, reason: u8) {
    match process::find(pid) {
        Some(_) if pid == actor_pid() => context::yield_current(Wait::Exit(reason)),
        Some(process) => process.kill(reason),
        None => {}
    }
}

fn actor_pid() -> u64 {
    current_process().map_or(NO_PID, |process| process.pid)
}

#[export]
unsafe fn actor_register(data: *const u8, len: u64) -> u64 {
    registry::register(unsafe { name(data, len) }, actor_pid());
    0
}

#[export]
unsafe fn actor_whereis(data: *const u8, len: u64) -> u64 {
    registry::whereis(unsafe { name(data, len) }).unwrap_or(0)
}

#[cfg(not(feature = "swap-args-register"))]
#[export]
unsafe fn process_register(name: *const MeshString, pid: u64) -> u64 {
    registry::register(unsafe { MeshString::text(name) }, pid);
    0
}

#[cfg(feature = "swap-args-register")]
#[export]
unsafe fn process_register(pid: u64, name: *const MeshString) -> u64 {
    registry::register(unsafe { MeshString::text(name) }, pid);
    0
}

#[export]
unsafe fn process_whereis(name: *const MeshString) -> u64 {
    registry::whereis(unsafe { MeshString::text(name) }).unwrap_or(0)
}

#[cfg(not(feature = "stale-no-process-monitor"))]
#[export]
fn process_monitor(pid: u64) -> u64 {
    process::find(pid).map_or(0, |process| process.monitor(actor_pid()))
}

#[export]
fn process_demonitor(reference: u64) -> u64 {
    process::demonitor(reference) as u64
}

#[export]
unsafe fn global_register(data: *const u8, len: u64, pid: u64) -> u64 {
    registry::register(unsafe { name(data, len) }, pid);
    0
}

#[export]
unsafe fn global_whereis(data: *const u8, len: u64) -> u64 {
    registry::whereis(unsafe { name(data, len) }).unwrap_or(0)
}

#[export]
unsafe fn global_unregister(data: *const u8, len: u64) -> u64 {
    registry::unregister(unsafe { name(data, len) }) as u64
}
