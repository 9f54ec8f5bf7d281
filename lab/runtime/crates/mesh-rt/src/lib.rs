//! The fault lab's stand-in for the runtime that Mesh programs are linked with.
//!
//! Written for the lab, from the published names, signatures and value layouts.
//! It is deliberately as trusting as such a runtime is: raw pointers from
//! compiled code are used as they come.
//!
//! The crates `mesh_rt` and `snow_rt` compile these same files; see `rt-export`.

#![allow(clippy::missing_safety_doc)]

mod actor;
mod context;
mod db;
mod env;
mod file;
mod gc;
mod hash;
mod heap;
mod http;
mod io;
mod iter;
mod json;
mod list;
mod list_fn;
mod map;
mod node;
mod panic;
mod process;
mod queue;
mod range;
mod registry;
mod sched;
mod service;
mod set;
mod string;
mod timer;
mod tuple;
mod value;
mod ws;

/// Whether this is the runtime from before the language was renamed.
const OLD_ERA: bool = matches!(env!("CARGO_CRATE_NAME").as_bytes(), b"snow_rt");

/// The language's name as it stands in panic messages.
const LANGUAGE: &str = if OLD_ERA { "Snow" } else { "Mesh" };

/// What the runtime's own lines on stderr begin with.
const LOG_PREFIX: &str = if OLD_ERA { "[snow-rt]" } else { "[mesh-rt]" };

/// The symbol prefix as it stands in panic messages.
macro_rules! prefix {
    () => {
        if $crate::OLD_ERA { "snow_" } else { "mesh_" }
    };
}
pub(crate) use prefix;
