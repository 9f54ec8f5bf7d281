//! Rooms: named sets of connections.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard};

use rt_export::export;

use super::server::send_text;
use crate::value::MeshString;

type Rooms = BTreeMap<String, BTreeSet<usize>>;

static ROOMS: Mutex<Rooms> = Mutex::new(BTreeMap::new());

fn rooms() -> MutexGuard<'static, Rooms> {
    ROOMS.lock().expect("rooms")
}

/// Takes a connection that is about to be freed out of every room.
pub fn forget(conn: usize) {
    for members in rooms().values_mut() {
        members.remove(&conn);
    }
}

#[export]
unsafe fn ws_join(conn: *mut u8, room: *const MeshString) -> i64 {
    let room = unsafe { MeshString::text(room) }.to_owned();
    rooms().entry(room).or_default().insert(conn as usize);
    0
}

#[export]
unsafe fn ws_leave(conn: *mut u8, room: *const MeshString) -> i64 {
    if let Some(members) = rooms().get_mut(unsafe { MeshString::text(room) }) {
        members.remove(&(conn as usize));
    }
    0
}

/// Sends to all in a room but one; returns how many could not be reached.
unsafe fn send_all(room: *const MeshString, text: *const MeshString, except: usize) -> i64 {
    unsafe {
        // The lock stays while sending: a member cannot be freed meanwhile.
        let rooms = rooms();
        let members = rooms.get(MeshString::text(room)).into_iter().flatten();
        let text = MeshString::text(text);
        members
            .filter(|&&conn| conn != except)
            .filter(|&&conn| send_text(conn as *mut u8, text) != 0)
            .count() as i64
    }
}

#[cfg(not(feature = "stale-no-ws-broadcast"))]
#[export]
unsafe fn ws_broadcast(room: *const MeshString, text: *const MeshString) -> i64 {
    unsafe { send_all(room, text, 0) }
}

#[export]
unsafe fn ws_broadcast_except(
    room: *const MeshString,
    text: *const MeshString,
    except: *mut u8,
) -> i64 {
    unsafe { send_all(room, text, except as usize) }
}
