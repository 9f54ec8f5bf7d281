//! The connection pool.

use std::sync::Mutex;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use rt_export::export;

use super::pg::{self, PgConn};
use super::sql;
use crate::context::{Wait, current_process, yield_current};
use crate::gc;
use crate::value::{MeshResult, MeshString, ReturnedResult, returned};

/// What a pool handle points to.
#[repr(C)]
struct Pool {
    min: i64,
    max: i64,
    /// Milliseconds: for a connection attempt, and to wait for a free one.
    timeout: i64,
    open: AtomicI64,
    url: String,
    idle: Mutex<Vec<u64>>,
}

impl Pool {
    fn patience(&self) -> Duration {
        Duration::from_millis(self.timeout.max(0) as u64)
    }

    fn take_idle(&self) -> Option<u64> {
        self.idle.lock().expect("pool").pop()
    }

    /// A connection: an idle one, a new one, or the next that comes back.
    fn checkout(&self) -> Result<u64, String> {
        let deadline = Instant::now() + self.patience();
        loop {
            if let Some(conn) = self.take_idle() {
                return Ok(conn);
            }
            if self.open.fetch_add(1, Ordering::AcqRel) < self.max {
                let conn = pg::connect(&self.url, self.patience());
                if conn.is_err() {
                    self.open.fetch_sub(1, Ordering::AcqRel);
                }
                return conn;
            }
            self.open.fetch_sub(1, Ordering::AcqRel);
            if Instant::now() >= deadline {
                return Err("pool checkout timed out".to_owned());
            }
            pause();
        }
    }

    /// Takes a connection back; one that broke is closed instead.
    unsafe fn checkin(&self, conn: u64) {
        if unsafe { (*(conn as *mut PgConn)).client.is_closed() } {
            self.open.fetch_sub(1, Ordering::AcqRel);
            unsafe { gc::drop_handle::<PgConn>(conn) };
            return;
        }
        self.idle.lock().expect("pool").push(conn);
    }

    unsafe fn run(&self, text: *const MeshString, params: *mut u8) -> Result<sql::Outcome, String> {
        let conn = self.checkout()?;
        unsafe {
            let outcome = pg::run(conn, text, params);
            self.checkin(conn);
            outcome
        }
    }
}

/// Lets others work for a moment while all connections are in use.
fn pause() {
    if current_process().is_some() {
        yield_current(Wait::Until(Instant::now() + Duration::from_millis(1)));
    } else {
        std::thread::sleep(Duration::from_millis(1));
    }
}

unsafe fn pool<'a>(handle: u64) -> &'a Pool {
    unsafe { &*(handle as *const Pool) }
}

/// Opens the pool with its smallest number of connections.
unsafe fn open(url: *const MeshString, min: i64, max: i64, timeout: i64) -> Result<u64, String> {
    let pool = Pool {
        min,
        max,
        timeout,
        open: AtomicI64::new(0),
        url: unsafe { MeshString::text(url) }.to_owned(),
        idle: Mutex::default(),
    };
    for _ in 0..pool.min {
        let conn = pg::connect(&pool.url, pool.patience())?;
        pool.open.fetch_add(1, Ordering::AcqRel);
        pool.idle.lock().expect("pool").push(conn);
    }
    Ok(gc::into_handle(pool))
}

fn handle_result(handle: Result<u64, String>) -> ReturnedResult {
    returned(match handle {
        Ok(handle) => MeshResult::ok(handle as *mut u8),
        Err(message) => MeshResult::err(&message),
    })
}

/// Ok(PoolHandle). `timeout` is in milliseconds.
#[export]
unsafe fn pool_open(url: *const MeshString, min: i64, max: i64, timeout: i64) -> ReturnedResult {
    handle_result(unsafe { open(url, min, max, timeout) })
}

#[export]
unsafe fn pool_checkout(handle: u64) -> ReturnedResult {
    handle_result(unsafe { pool(handle) }.checkout())
}

#[export]
unsafe fn pool_checkin(handle: u64, conn: u64) {
    unsafe { pool(handle).checkin(conn) };
}

#[export]
unsafe fn pool_query(handle: u64, sql: *const MeshString, params: *mut u8) -> *mut u8 {
    pg::rows_result(unsafe { pool(handle).run(sql, params) })
}

#[cfg(not(feature = "stale-no-pool-execute"))]
#[export]
unsafe fn pool_execute(handle: u64, sql: *const MeshString, params: *mut u8) -> *mut u8 {
    pg::count_result(unsafe { pool(handle).run(sql, params) })
}

#[export]
unsafe fn pool_query_as(handle: u64, sql: *mut u8, params: *mut u8, from_row: *mut u8) -> *mut u8 {
    unsafe {
        let outcome = pool(handle).run(sql as *const MeshString, params);
        pg::mapped_result(outcome, from_row)
    }
}

#[export]
unsafe fn pool_close(handle: u64) {
    unsafe {
        while let Some(conn) = pool(handle).take_idle() {
            gc::drop_handle::<PgConn>(conn);
        }
        gc::drop_handle::<Pool>(handle);
    }
}
