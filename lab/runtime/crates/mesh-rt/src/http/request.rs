//! Requests as they come off the wire, and as handlers see them.

use std::io::{BufRead, Read};

use rt_export::export;

use crate::gc::{self, Kind};
use crate::map;
use crate::value::{MeshResult, MeshString, string};

/// Largest body that is read.
const MAX_BODY: u64 = 8 * 1024 * 1024;

/// A request before any of it is interpreted.
pub struct RawRequest {
    pub method: String,
    pub target: String,
    pub headers: Vec<(String, String)>,
    pub body: String,
}

/// Reads one request; None on anything that is not HTTP.
pub fn read(stream: &mut impl BufRead) -> Option<RawRequest> {
    let mut line = String::new();
    stream.read_line(&mut line).ok()?;
    let mut words = line.split_ascii_whitespace();
    let (method, target) = (words.next()?.to_owned(), words.next()?.to_owned());
    words.next()?.starts_with("HTTP/1").then_some(())?;
    let headers = read_headers(stream)?;
    let length = headers.iter().find(|(name, _)| name == "content-length");
    let length = length.and_then(|(_, value)| value.parse().ok()).unwrap_or(0u64);
    let mut body = String::new();
    stream.take(length.min(MAX_BODY)).read_to_string(&mut body).ok()?;
    Some(RawRequest { method, target, headers, body })
}

fn read_headers(stream: &mut impl BufRead) -> Option<Vec<(String, String)>> {
    let mut headers = Vec::new();
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).ok()? == 0 || headers.len() > 200 {
            return None;
        }
        let line = line.trim_end();
        if line.is_empty() {
            return Some(headers);
        }
        let (name, value) = line.split_once(':')?;
        headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
}

/// A request as handlers get it; read only through the functions below.
#[repr(C)]
pub struct MeshRequest {
    method: *mut u8,
    path: *mut u8,
    body: *mut u8,
    query: *mut u8,
    headers: *mut u8,
    params: *mut u8,
}

/// Builds the handler's view. `params` are those of the matched route.
pub fn build(raw: &RawRequest, path: &str, params: &[(String, String)]) -> *mut u8 {
    let query = raw.target.split_once('?').map_or("", |(_, query)| query);
    let pairs: Vec<(String, String)> = query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .map(|(name, value)| (percent_decode(name), percent_decode(value)))
        .collect();
    let request = gc::alloc(size_of::<MeshRequest>(), Kind::Scanned) as *mut MeshRequest;
    unsafe {
        request.write(MeshRequest {
            method: string(&raw.method),
            path: string(path),
            body: string(&raw.body),
            query: strings(&pairs),
            headers: strings(&raw.headers),
            params: strings(params),
        });
    }
    request as *mut u8
}

fn strings(pairs: &[(String, String)]) -> *mut u8 {
    map::of_strings(pairs.iter().map(|(name, value)| (name.as_str(), value.as_str())))
}

/// Resolves `%41` and `+`.
///
/// Like many a decoder it trusts that two more characters follow a percent sign:
/// `/issues/%4` is cut out of bounds, and that panic is raised in plain Rust,
/// where the connection's handler can still catch it.
pub fn percent_decode(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut at = 0;
    while at < text.len() {
        match text.as_bytes()[at] {
            b'%' => {
                let digits = &text[at + 1..at + 3];
                bytes.push(u8::from_str_radix(digits, 16).unwrap_or(b'?'));
                at += 3;
                continue;
            }
            b'+' => bytes.push(b' '),
            byte => bytes.push(byte),
        }
        at += 1;
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[export]
unsafe fn http_request_method(request: *mut u8) -> *mut u8 {
    unsafe { (*(request as *const MeshRequest)).method }
}

#[export]
unsafe fn http_request_path(request: *mut u8) -> *mut u8 {
    unsafe { (*(request as *const MeshRequest)).path }
}

#[export]
unsafe fn http_request_body(request: *mut u8) -> *mut u8 {
    unsafe { (*(request as *const MeshRequest)).body }
}

unsafe fn lookup(map: *mut u8, name: &str) -> *mut u8 {
    let found = unsafe { map::text(map, name) };
    found.map_or_else(MeshResult::none, |text| MeshResult::some(string(text) as u64)) as *mut u8
}

#[export]
unsafe fn http_request_header(request: *mut u8, name: *const MeshString) -> *mut u8 {
    unsafe {
        let name = MeshString::text(name).to_ascii_lowercase();
        lookup((*(request as *const MeshRequest)).headers, &name)
    }
}

#[export]
unsafe fn http_request_query(request: *mut u8, name: *const MeshString) -> *mut u8 {
    unsafe { lookup((*(request as *const MeshRequest)).query, MeshString::text(name)) }
}

#[export]
unsafe fn http_request_param(request: *mut u8, name: *const MeshString) -> *mut u8 {
    unsafe { lookup((*(request as *const MeshRequest)).params, MeshString::text(name)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percent_decoding() {
        assert_eq!(percent_decode("a%20b+c%C3%A4"), "a b c\u{e4}");
    }

    #[test]
    fn a_cut_escape_panics_in_plain_rust() {
        assert!(std::panic::catch_unwind(|| percent_decode("%4")).is_err());
    }

    #[test]
    fn reads_head_and_body() {
        let mut wire = &b"POST /a?b=c HTTP/1.1\r\nContent-Length: 2\r\nX-Y: z\r\n\r\nhithere"[..];
        let raw = read(&mut wire).unwrap();
        assert_eq!((raw.method.as_str(), raw.target.as_str()), ("POST", "/a?b=c"));
        assert_eq!(raw.headers[1], ("x-y".to_owned(), "z".to_owned()));
        assert_eq!(raw.body, "hi");
    }

    #[test]
    fn what_is_not_http_is_refused() {
        let cut_header = "GET / HTTP/1.1\r\nbad\r\n";
        for wire in ["", "\r\n", "GET /\r\n\r\n", "GET / FTP/1\r\n\r\n", cut_header] {
            assert!(read(&mut wire.as_bytes()).is_none(), "{wire:?}");
        }
    }
}
