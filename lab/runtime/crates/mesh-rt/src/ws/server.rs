//! Accepting WebSocket connections; one actor each.

use std::io::ErrorKind;
use std::net::{TcpListener, TcpStream};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use rt_export::export;
use tungstenite::handshake::server::{Request, Response};
use tungstenite::{Bytes, Error, Message, WebSocket};

use super::rooms;
use crate::actor::bytes;
use crate::context::{Wait, yield_current};
use crate::value::{Closure, MeshString, string};
use crate::{LOG_PREFIX, map, sched};

/// How long a client may take for its handshake.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(5);
/// How often a quiet connection is looked at.
const POLL: Duration = Duration::from_millis(5);

/// What a connection handle points to; freed when the connection closes.
pub struct WsConn {
    socket: Mutex<WebSocket<TcpStream>>,
}

/// What compiled code wants to be told.
#[derive(Clone, Copy)]
struct Callbacks {
    connect: Closure,
    message: Closure,
    close: Closure,
}

struct Incoming {
    stream: TcpStream,
    callbacks: Callbacks,
}

/// Starts to accept, on a thread of its own, and returns.
///
/// Callbacks: `on_connect(conn, path, headers)`, `on_message(conn, text)`,
/// `on_close(conn, code, reason)`.
#[export]
unsafe fn ws_serve(
    connect: *mut u8,
    connect_env: *mut u8,
    message: *mut u8,
    message_env: *mut u8,
    close: *mut u8,
    close_env: *mut u8,
    port: i64,
) {
    let callbacks = Callbacks {
        connect: Closure::new(connect, connect_env),
        message: Closure::new(message, message_env),
        close: Closure::new(close, close_env),
    };
    let address = format!("0.0.0.0:{port}");
    match TcpListener::bind(&address) {
        Ok(listener) => {
            eprintln!("{LOG_PREFIX} WebSocket server listening on {address}");
            let thread = std::thread::Builder::new().name(format!("ws-accept-{port}"));
            let started = thread.spawn(move || accept_loop(&listener, callbacks));
            drop(started.expect("failed to start the WebSocket accept thread"));
        }
        Err(error) => {
            eprintln!("{LOG_PREFIX} Failed to start WebSocket server on {address}: {error}");
        }
    }
}

fn accept_loop(listener: &TcpListener, callbacks: Callbacks) {
    for stream in listener.incoming().flatten() {
        let argument = Box::into_raw(Box::new(Incoming { stream, callbacks })) as u64;
        sched::spawn(ws_connection_entry as *const () as usize, &argument.to_ne_bytes());
    }
}

/// The actor of one connection. It gets a pointer to the address of its
/// `Incoming`.
#[inline(never)]
extern "C" fn ws_connection_entry(args: *const u8) {
    let incoming = unsafe { Box::from_raw(*(args as *const *mut Incoming)) };
    let callbacks = incoming.callbacks;
    let Some((socket, path, headers)) = handshake(incoming.stream) else { return };
    let conn = Box::into_raw(Box::new(WsConn { socket: Mutex::new(socket) }));
    unsafe {
        let headers = map::of_strings(headers.iter().map(|(k, v)| (k.as_str(), v.as_str())));
        callbacks.connect.call3(conn as u64, string(&path) as u64, headers as u64);
        let (code, reason) = read_loop(conn, callbacks.message);
        callbacks.close.call3(conn as u64, code as u64, string(&reason) as u64);
        rooms::forget(conn as usize);
        drop(Box::from_raw(conn));
    }
}

type Headers = Vec<(String, String)>;

/// Blocking, like all I/O of this runtime; afterwards the socket is polled.
fn handshake(stream: TcpStream) -> Option<(WebSocket<TcpStream>, String, Headers)> {
    stream.set_read_timeout(Some(HANDSHAKE_TIMEOUT)).ok()?;
    let mut path = String::new();
    let mut headers = Headers::new();
    #[allow(clippy::result_large_err)] // the signature is tungstenite's
    let look = |request: &Request, response: Response| {
        path = request.uri().path().to_owned();
        let pairs = request.headers().iter();
        headers.extend(pairs.filter_map(|(k, v)| Some((k.to_string(), v.to_str().ok()?.into()))));
        Ok(response)
    };
    let socket = tungstenite::accept_hdr(stream, look).ok()?;
    socket.get_ref().set_nonblocking(true).ok()?;
    Some((socket, path, headers))
}

/// Passes messages on until the connection ends; returns close code and reason.
unsafe fn read_loop(conn: *mut WsConn, on_message: Closure) -> (u16, String) {
    loop {
        let read = unsafe { (*conn).socket.lock().expect("socket").read() };
        match read {
            Ok(Message::Text(text)) => unsafe {
                on_message.call2(conn as u64, string(text.as_str()) as u64);
            },
            Ok(Message::Close(Some(frame))) => {
                return (frame.code.into(), frame.reason.to_string());
            }
            Ok(Message::Close(None)) => return (1005, String::new()),
            Ok(_) => {}
            Err(Error::Io(error)) if error.kind() == ErrorKind::WouldBlock => {
                yield_current(Wait::Until(Instant::now() + POLL));
            }
            Err(error) => return (1006, error.to_string()),
        }
    }
}

/// Sends one text message; 0, or -1 if that failed.
pub unsafe fn send_text(conn: *mut u8, text: &str) -> i64 {
    unsafe { send(conn, Message::text(text)) }
}

unsafe fn send(conn: *mut u8, message: Message) -> i64 {
    let conn = conn as *const WsConn;
    let sent = unsafe { (*conn).socket.lock().expect("socket").send(message) };
    if sent.is_ok() { 0 } else { -1 }
}

#[export]
unsafe fn ws_send(conn: *mut u8, text: *const MeshString) -> i64 {
    unsafe { send_text(conn, MeshString::text(text)) }
}

#[export]
unsafe fn ws_send_binary(conn: *mut u8, data: *const u8, len: i64) -> i64 {
    let data = Bytes::copy_from_slice(unsafe { bytes(data, len as u64) });
    unsafe { send(conn, Message::Binary(data)) }
}
