//! Calls to services and their answers.
//!
//! A request is `[u64 tag][u64 caller][i64 args]`; like every message it is
//! delivered behind a 16-byte header, and so is the answer, whose word the caller
//! therefore finds at +16.

use rt_export::export;

use crate::actor::{bytes, deliver};
use crate::context::{Wait, current_process, yield_current};
use crate::process::{self, Message, TAG_REPLY};

/// Sends a request and waits for its answer, however long that takes.
///
/// NULL when the caller has no PID, or the service has none (any more).
#[export]
unsafe fn service_call(pid: u64, tag: u64, args: *const u8, len: u64) -> *const u8 {
    let Some(caller) = current_process() else { return std::ptr::null() };
    let mut data = Vec::with_capacity(16 + len as usize);
    data.extend_from_slice(&tag.to_ne_bytes());
    data.extend_from_slice(&caller.pid.to_ne_bytes());
    data.extend_from_slice(unsafe { bytes(args, len) });
    if !process::send(pid, Message { tag, data: data.into() }) {
        return std::ptr::null();
    }
    loop {
        // Asked first: a service may answer and end between two looks.
        let alive = process::alive(pid);
        if let Some(reply) = caller.take_reply() {
            return hand_over(&reply);
        }
        if !alive {
            return std::ptr::null();
        }
        yield_current(Wait::Reply(pid));
    }
}

fn hand_over(reply: &Message) -> *const u8 {
    let delivered = deliver(reply);
    if cfg!(feature = "reply-headerless") {
        return unsafe { delivered.add(16) };
    }
    delivered
}

#[export]
unsafe fn service_reply(caller: u64, data: *const u8, len: u64) {
    let data = unsafe { bytes(data, len) }.into();
    process::send(caller, Message { tag: TAG_REPLY, data });
}
