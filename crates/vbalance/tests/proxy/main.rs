//! The reverse proxy: through a client answered by hand, and over real sockets.
#![cfg(feature = "proxy")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    unreachable_pub,
    reason = "tests"
)]

mod answers;
mod origin;
mod sockets;
mod support;
mod tries;
mod websocket;
