//! Environment and arguments.

use rt_export::export;

use crate::list;
use crate::value::{MeshOption, MeshString, string};

#[export]
unsafe fn env_get(name: *const MeshString) -> *mut MeshOption {
    match std::env::var(unsafe { MeshString::text(name) }) {
        Ok(value) => MeshOption::some(string(&value) as u64),
        Err(_) if cfg!(feature = "null-env-get") => std::ptr::null_mut(),
        Err(_) => MeshOption::none(),
    }
}

#[export]
fn env_args() -> *mut u8 {
    let words: Vec<u64> =
        std::env::args_os().map(|arg| string(&arg.to_string_lossy()) as u64).collect();
    list::of(&words)
}
