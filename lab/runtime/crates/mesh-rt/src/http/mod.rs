//! The HTTP server: HTTP/1.1, one request per connection, one actor each.

mod request;
mod router;
mod server;
