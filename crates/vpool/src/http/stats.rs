//! What a client tells about an origin.

use crate::http::origin::Origin;

/// The connections of one origin at one moment, and its counts since it was first used.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct OriginStats {
    /// The origin.
    pub origin: Origin,
    /// Connections open.
    pub open: usize,
    /// Of these, without a request.
    pub idle: usize,
    /// Of these, with a request (HTTP/2: one or more).
    pub in_use: usize,
    /// Connections being opened.
    pub connecting: usize,
    /// Requests that wait for a connection.
    pub waiting: usize,
    /// Connections opened since the start.
    pub created: u64,
    /// Requests sent on a connection that was there already.
    pub reused: u64,
    /// Attempts to connect that failed.
    pub failures: u64,
}
