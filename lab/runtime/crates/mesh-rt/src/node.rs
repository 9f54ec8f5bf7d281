//! Functions by name, as distribution would look them up. This runtime has no
//! distribution; the table is kept because every generated main fills it.

use std::collections::BTreeMap;
use std::sync::Mutex;

use rt_export::export;

use crate::actor::bytes;
use crate::list;
use crate::value::string;

static FUNCTIONS: Mutex<BTreeMap<Vec<u8>, usize>> = Mutex::new(BTreeMap::new());

#[export]
unsafe fn register_function(name: *const u8, len: u64, code: *const u8) {
    let name = unsafe { bytes(name, len) }.to_vec();
    FUNCTIONS.lock().expect("function table").insert(name, code as usize);
}

#[export]
fn node_self() -> *const u8 {
    string("nonode@nohost")
}

#[export]
fn node_list() -> *mut u8 {
    list::of(&[])
}
