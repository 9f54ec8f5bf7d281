//! Sleeping, and messages for later. Workers look at the timers on each round.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use rt_export::export;

use crate::context::{self, Wait};
use crate::process::{self, Message};

struct Timer {
    due: Instant,
    pid: u64,
    message: Message,
}

impl PartialEq for Timer {
    fn eq(&self, other: &Self) -> bool {
        self.due == other.due
    }
}

impl Eq for Timer {}

impl PartialOrd for Timer {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Timer {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.due.cmp(&other.due)
    }
}

static TIMERS: Mutex<BinaryHeap<Reverse<Timer>>> = Mutex::new(BinaryHeap::new());

/// Delivers what is due.
pub fn fire_due() {
    let mut timers = TIMERS.lock().expect("timers");
    let now = Instant::now();
    while timers.peek().is_some_and(|Reverse(timer)| timer.due <= now) {
        let Reverse(timer) = timers.pop().expect("peeked");
        process::send(timer.pid, timer.message);
    }
}

fn after(milliseconds: i64) -> Instant {
    Instant::now() + Duration::from_millis(milliseconds.max(0) as u64)
}

#[export]
fn timer_sleep(milliseconds: i64) {
    context::yield_current(Wait::Until(after(milliseconds)));
}

#[cfg(not(feature = "stale-no-timer-send-after"))]
#[export]
unsafe fn timer_send_after(pid: i64, milliseconds: i64, message: *const u8, len: i64) {
    let message = unsafe { crate::actor::message_from(message, len as u64) };
    let timer = Timer { due: after(milliseconds), pid: pid as u64, message };
    TIMERS.lock().expect("timers").push(Reverse(timer));
}
