//! Names of processes.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard};

static NAMES: Mutex<BTreeMap<String, u64>> = Mutex::new(BTreeMap::new());

fn names() -> MutexGuard<'static, BTreeMap<String, u64>> {
    NAMES.lock().expect("name registry")
}

/// Binds a name to a PID; the newest binding wins.
pub fn register(name: &str, pid: u64) {
    let mut names = names();
    names.insert(name.to_owned(), pid);
    if cfg!(feature = "deadlock-registry") {
        // Being fair to the others while the lock is held: the next actor of
        // this worker that wants the lock blocks the worker, and with it the
        // only thread that could ever resume the holder.
        crate::context::yield_current(crate::context::Wait::Ready);
    }
    drop(names);
}

pub fn whereis(name: &str) -> Option<u64> {
    names().get(name).copied()
}

pub fn unregister(name: &str) -> bool {
    names().remove(name).is_some()
}

/// Drops all names of a process that ended.
pub fn forget(pid: u64) {
    names().retain(|_, owner| *owner != pid);
}
