//! The accept loop, the connection actor, and responses.

use std::any::Any;
use std::io::{BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use rt_export::export;

use super::request::{self, RawRequest};
use super::router::Router;
use crate::gc::{self, Kind};
use crate::value::{MeshString, word_text};
use crate::{LOG_PREFIX, map, sched};

/// A client that says nothing for so long is dropped.
const READ_TIMEOUT: Duration = Duration::from_secs(10);

/// What handlers return.
#[repr(C)]
pub struct MeshResponse {
    status: i64,
    body: *const MeshString,
    headers: *mut u8,
}

#[cfg(not(feature = "swap-args-response"))]
#[export]
unsafe fn http_response_new(status: i64, body: *const MeshString) -> *mut u8 {
    response(status, body, std::ptr::null_mut())
}

#[cfg(feature = "swap-args-response")]
#[export]
unsafe fn http_response_new(body: *const MeshString, status: i64) -> *mut u8 {
    response(status, body, std::ptr::null_mut())
}

#[export]
unsafe fn http_response_with_headers(
    status: i64,
    body: *const MeshString,
    headers: *mut u8,
) -> *mut u8 {
    response(status, body, headers)
}

fn response(status: i64, body: *const MeshString, headers: *mut u8) -> *mut u8 {
    let response = gc::alloc(size_of::<MeshResponse>(), Kind::Scanned) as *mut MeshResponse;
    unsafe { response.write(MeshResponse { status, body, headers }) };
    response as *mut u8
}

/// Serves on the calling thread and does not come back, unless the port could
/// not be had: then it says so and returns, and the program lives on without it.
#[export]
unsafe fn http_serve(router: *mut u8, port: i64) {
    let address = format!("0.0.0.0:{port}");
    let listener = match TcpListener::bind(&address) {
        Ok(listener) => listener,
        Err(error) => {
            eprintln!("{LOG_PREFIX} Failed to start HTTP server on {address}: {error}");
            return;
        }
    };
    eprintln!("{LOG_PREFIX} HTTP server listening on {address}");
    for stream in listener.incoming().flatten() {
        let connection = Box::new(Connection { stream, router: router as *const Router });
        let argument = Box::into_raw(connection) as u64;
        sched::spawn(connection_handler_entry as *const () as usize, &argument.to_ne_bytes());
    }
}

struct Connection {
    stream: TcpStream,
    router: *const Router,
}

/// The actor of one connection. It gets a pointer to the address of its
/// `Connection`.
#[inline(never)]
extern "C" fn connection_handler_entry(args: *const u8) {
    let connection = unsafe { Box::from_raw(*(args as *const *mut Connection)) };
    let _ = connection.stream.set_read_timeout(Some(READ_TIMEOUT));
    let mut reader = BufReader::new(&connection.stream);
    let Some(raw) = request::read(&mut reader) else { return };
    let (status, headers, body) = answer(unsafe { &*connection.router }, &raw);
    let _ = write_response(&connection.stream, status, &headers, &body);
}

type Answer = (i64, String, Vec<u8>);

/// Runs router and handler. A panic in plain Rust becomes a 500; one inside an
/// `extern "C"` function has aborted the program before it could get here.
fn answer(router: &Router, raw: &RawRequest) -> Answer {
    if cfg!(feature = "http-no-catch") {
        return take_answer(router, raw);
    }
    match catch_unwind(AssertUnwindSafe(|| take_answer(router, raw))) {
        Ok(answer) => answer,
        Err(panic) => {
            eprintln!("{LOG_PREFIX} HTTP handler panicked: {}", panic_text(&*panic));
            (500, String::new(), b"Internal Server Error".to_vec())
        }
    }
}

fn panic_text(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("unknown panic")
}

/// Copies the handler's response out of its heap.
fn take_answer(router: &Router, raw: &RawRequest) -> Answer {
    let response = router.dispatch(raw);
    if response.is_null() {
        return (404, String::new(), b"Not Found".to_vec());
    }
    unsafe {
        let response = &*response;
        let body = MeshString::bytes(response.body).to_vec();
        let mut headers = String::new();
        if !response.headers.is_null() {
            for entry in map::entries(response.headers) {
                let (name, value) = (word_text(entry[0]), word_text(entry[1]));
                headers.push_str(&format!("{name}: {value}\r\n"));
            }
        }
        (response.status, headers, body)
    }
}

fn write_response(
    mut stream: &TcpStream,
    status: i64,
    headers: &str,
    body: &[u8],
) -> std::io::Result<()> {
    let content_type = if headers.to_ascii_lowercase().contains("content-type:") {
        ""
    } else if matches!(body.first(), Some(b'{' | b'[')) {
        "Content-Type: application/json\r\n"
    } else {
        "Content-Type: text/plain; charset=utf-8\r\n"
    };
    let head = format!(
        "HTTP/1.1 {status} {}\r\n{content_type}{headers}Content-Length: {}\r\nConnection: close\r\n\r\n",
        phrase(status),
        body.len(),
    );
    stream.write_all(&[head.as_bytes(), body].concat())
}

fn phrase(status: i64) -> &'static str {
    match status {
        200 => "OK",
        201 => "Created",
        202 => "Accepted",
        204 => "No Content",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        429 => "Too Many Requests",
        500 => "Internal Server Error",
        503 => "Service Unavailable",
        _ => "Status",
    }
}
