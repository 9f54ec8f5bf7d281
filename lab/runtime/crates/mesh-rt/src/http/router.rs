//! Routes, and the way from a request to its handler.

use rt_export::export;

use super::request::{self, RawRequest, percent_decode};
use super::server::MeshResponse;
use crate::gc::{self, Kind};
use crate::value::{Closure, MeshString};

/// One route: a method (None for any) and a pattern such as `/issues/:id`.
struct Route {
    method: Option<&'static str>,
    pattern: String,
    handler: usize,
}

/// What a router pointer points to. Routes are added before it serves, and
/// never after.
#[derive(Default)]
pub struct Router {
    routes: Vec<Route>,
    middleware: Vec<usize>,
}

type Params = Vec<(String, String)>;

impl Router {
    fn find(&self, method: &str, path: &str) -> Option<(&Route, Params)> {
        self.routes
            .iter()
            .filter(|route| route.method.is_none_or(|wanted| wanted == method))
            .find_map(|route| Some((route, match_path(&route.pattern, path)?)))
    }

    /// Answers a request: NULL when there is no route for it.
    #[inline(never)]
    pub fn dispatch(&self, raw: &RawRequest) -> *mut MeshResponse {
        let path = raw.target.split('?').next().unwrap_or_default();
        let Some((route, params)) = self.find(&raw.method, path) else {
            return std::ptr::null_mut();
        };
        let request = request::build(raw, path, &params);
        unsafe { call_chain(&self.middleware, route.handler, request) }
    }
}

/// Parameters of a path, if it has the shape of the pattern. A last segment `*`
/// takes all that is left.
fn match_path(pattern: &str, path: &str) -> Option<Params> {
    let mut params = Params::new();
    let mut segments = path.trim_matches('/').split('/');
    for wanted in pattern.trim_matches('/').split('/') {
        if wanted == "*" {
            return Some(params);
        }
        let segment = segments.next()?;
        match wanted.strip_prefix(':') {
            Some(name) => params.push((name.to_owned(), percent_decode(segment))),
            None if wanted == segment => {}
            None => return None,
        }
    }
    segments.next().is_none().then_some(params)
}

/// What is left to do after one middleware: the closure it gets as `next`.
#[repr(C)]
struct Next {
    middleware: *const [usize],
    handler: usize,
}

/// Calls the first middleware with a closure for the rest, or the handler.
unsafe fn call_chain(middleware: &[usize], handler: usize, request: *mut u8) -> *mut MeshResponse {
    let none = std::ptr::null_mut();
    unsafe {
        let Some((first, rest)) = middleware.split_first() else {
            return Closure::new(handler as *mut u8, none).call1(request as u64)
                as *mut MeshResponse;
        };
        let next = gc::alloc(size_of::<Next>(), Kind::Scanned) as *mut Next;
        next.write(Next { middleware: rest, handler });
        let closure = gc::alloc(16, Kind::Scanned) as *mut [usize; 2];
        closure.write([call_next as *const () as usize, next as usize]);
        Closure::new(*first as *mut u8, none).call2(request as u64, closure as u64)
            as *mut MeshResponse
    }
}

extern "C" fn call_next(next: *mut Next, request: *mut u8) -> *mut MeshResponse {
    unsafe { call_chain(&*(*next).middleware, (*next).handler, request) }
}

#[export]
fn http_router() -> *mut u8 {
    Box::into_raw(Box::<Router>::default()) as *mut u8
}

unsafe fn add(
    router: *mut u8,
    method: Option<&'static str>,
    pattern: *const MeshString,
    handler: *mut u8,
) -> *mut u8 {
    unsafe {
        let pattern = MeshString::text(pattern).to_owned();
        let route = Route { method, pattern, handler: handler as usize };
        (*(router as *mut Router)).routes.push(route);
    }
    router
}

#[export]
unsafe fn http_route(router: *mut u8, pattern: *const MeshString, handler: *mut u8) -> *mut u8 {
    unsafe { add(router, None, pattern, handler) }
}

#[export]
unsafe fn http_route_get(router: *mut u8, pattern: *const MeshString, handler: *mut u8) -> *mut u8 {
    unsafe { add(router, Some("GET"), pattern, handler) }
}

#[export]
unsafe fn http_route_post(
    router: *mut u8,
    pattern: *const MeshString,
    handler: *mut u8,
) -> *mut u8 {
    unsafe { add(router, Some("POST"), pattern, handler) }
}

#[export]
unsafe fn http_route_put(router: *mut u8, pattern: *const MeshString, handler: *mut u8) -> *mut u8 {
    unsafe { add(router, Some("PUT"), pattern, handler) }
}

#[export]
unsafe fn http_route_delete(
    router: *mut u8,
    pattern: *const MeshString,
    handler: *mut u8,
) -> *mut u8 {
    unsafe { add(router, Some("DELETE"), pattern, handler) }
}

#[export]
unsafe fn http_use_middleware(router: *mut u8, middleware: *mut u8) -> *mut u8 {
    unsafe { (*(router as *mut Router)).middleware.push(middleware as usize) };
    router
}

#[cfg(test)]
mod tests {
    use super::match_path;

    #[test]
    fn patterns() {
        type Want = Option<&'static [(&'static str, &'static str)]>;
        let cases: [(&str, &str, Want); 8] = [
            ("/", "/", Some(&[])),
            ("/health", "/health/", Some(&[])),
            ("/health", "/healthy", None),
            ("/p/:id/issues", "/p/7/issues", Some(&[("id", "7")])),
            ("/p/:id", "/p/a%20b", Some(&[("id", "a b")])),
            ("/p/:id", "/p", None),
            ("/p/:id", "/p/7/more", None),
            ("/static/*", "/static/a/b", Some(&[])),
        ];
        for (pattern, path, want) in cases {
            let got = match_path(pattern, path);
            let got: Option<Vec<(&str, &str)>> =
                got.as_ref().map(|p| p.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect());
            assert_eq!(got.as_deref(), want, "{pattern} {path}");
        }
    }
}
