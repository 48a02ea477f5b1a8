//! The mark of a request whose head is as it will be forwarded.

/// Says that a request's head is as the origin will see it: what belonged to the client's
/// connection is removed ([`hop::remove_from_request`](crate::hop::remove_from_request)), strangers'
/// forwarding fields too, and ours are written ([`Forwarding::apply`](crate::Forwarding::apply)).
///
/// Whoever has done that puts it into the request's extensions. A cache then takes scheme and host
/// from these fields, and compares the fields that `Vary` names as the origin gets them; a proxy
/// does not do it again. Danger: on a request whose fields are the client's own it lets the client
/// choose both.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Vouched;

impl Vouched {
    /// The mark.
    #[must_use]
    pub const fn new() -> Self {
        Self
    }
}
