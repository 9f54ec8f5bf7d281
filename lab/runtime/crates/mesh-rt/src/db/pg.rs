//! Single connections.

use std::time::Duration;

use postgres::{Client, NoTls};
use rt_export::export;

use super::sql;
use crate::gc;
use crate::list;
use crate::value::{Closure, GOOD, MeshResult, MeshString};

/// How long a connection attempt may take, where nobody says otherwise.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// What a connection handle points to.
pub struct PgConn {
    pub client: Client,
}

/// Opens a connection; returns its handle.
pub fn connect(url: &str, timeout: Duration) -> Result<u64, String> {
    let mut config: postgres::Config = url.parse().map_err(|error| sql::reason(&error))?;
    config.connect_timeout(timeout);
    let client = config.connect(NoTls).map_err(|error| sql::reason(&error))?;
    Ok(gc::into_handle(PgConn { client }))
}

/// Runs a statement on a connection handle.
pub unsafe fn run(
    conn: u64,
    text: *const MeshString,
    params: *mut u8,
) -> Result<sql::Outcome, String> {
    unsafe {
        let conn = conn as *mut PgConn;
        sql::run(&mut (*conn).client, MeshString::text(text), params)
    }
}

/// Ok(list of rows).
pub fn rows_result(outcome: Result<sql::Outcome, String>) -> *mut u8 {
    let result = match outcome {
        Ok(outcome) => MeshResult::ok(sql::rows_to_list(&outcome.rows)),
        Err(message) => MeshResult::err(&message),
    };
    result as *mut u8
}

/// Ok(number of affected rows), the number itself in the pointer's place.
pub fn count_result(outcome: Result<sql::Outcome, String>) -> *mut u8 {
    let result = match outcome {
        Ok(outcome) => MeshResult::ok(outcome.affected as *mut u8),
        Err(message) => MeshResult::err(&message),
    };
    result as *mut u8
}

/// Each row through a derived `from_row`; the first Err ends it.
pub unsafe fn mapped_result(outcome: Result<sql::Outcome, String>, from_row: *mut u8) -> *mut u8 {
    let outcome = match outcome {
        Ok(outcome) => outcome,
        Err(message) => return MeshResult::err(&message) as *mut u8,
    };
    let from_row = Closure::new(from_row, std::ptr::null_mut());
    let mut values = Vec::with_capacity(outcome.rows.len());
    for row in &outcome.rows {
        unsafe {
            let result = from_row.call1(sql::row_to_map(row) as u64) as *mut MeshResult;
            if (*result).tag != GOOD {
                return result as *mut u8;
            }
            values.push((*result).value as u64);
        }
    }
    MeshResult::ok(list::of(&values)) as *mut u8
}

#[export]
unsafe fn pg_connect(url: *const MeshString) -> *mut u8 {
    let result = match connect(unsafe { MeshString::text(url) }, CONNECT_TIMEOUT) {
        Ok(conn) => MeshResult::ok(conn as *mut u8),
        Err(message) => MeshResult::err(&message),
    };
    result as *mut u8
}

#[export]
unsafe fn pg_close(conn: u64) {
    unsafe { gc::drop_handle::<PgConn>(conn) };
}

#[export]
unsafe fn pg_query(conn: u64, sql: *const MeshString, params: *mut u8) -> *mut u8 {
    rows_result(unsafe { run(conn, sql, params) })
}

#[export]
unsafe fn pg_execute(conn: u64, sql: *const MeshString, params: *mut u8) -> *mut u8 {
    count_result(unsafe { run(conn, sql, params) })
}

#[export]
unsafe fn pg_query_as(conn: u64, sql: *mut u8, params: *mut u8, from_row: *mut u8) -> *mut u8 {
    unsafe { mapped_result(run(conn, sql as *const MeshString, params), from_row) }
}

unsafe fn command(conn: u64, text: &str) -> *mut u8 {
    let result = match unsafe { (*(conn as *mut PgConn)).client.batch_execute(text) } {
        Ok(()) => MeshResult::ok(std::ptr::null_mut()),
        Err(error) => MeshResult::err(&sql::reason(&error)),
    };
    result as *mut u8
}

#[export]
unsafe fn pg_begin(conn: u64) -> *mut u8 {
    unsafe { command(conn, "BEGIN") }
}

#[export]
unsafe fn pg_commit(conn: u64) -> *mut u8 {
    unsafe { command(conn, "COMMIT") }
}

#[export]
unsafe fn pg_rollback(conn: u64) -> *mut u8 {
    unsafe { command(conn, "ROLLBACK") }
}
