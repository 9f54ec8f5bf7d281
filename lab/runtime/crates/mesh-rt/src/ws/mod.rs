//! The WebSocket server and its rooms.

mod rooms;
mod server;
