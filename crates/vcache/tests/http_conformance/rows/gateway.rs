//! What only a gateway can do, over real connections.

use crate::row::Check::Gate as Gated;
use crate::row::Level::{Choice, May, Must, Rule, Should};
use crate::row::{Gate, Row, row};

#[rustfmt::skip]
pub(crate) const ROWS: &[Row] = &[
    row("RFC 9110 §7.2", Must, "A request without Host, with two, or with something else in it is answered 400, and does not reach the origin.", Gated(Gate::Hosts)),
    row("RFC 9110 §9.3.1", Choice, "A GET with content goes to the origin with it; its answer is not stored, and none from the store is given.", Gated(Gate::Content)),
    row("RFC 9110 §7.6.1", Must, "Connection and what it names goes no further, in either direction, whether it is stored or not.", Gated(Gate::Hops)),
    row("RFC 9110 §15.2", Must, "Interim responses do not end the exchange, are not stored, and their fields do not come into the answer.", Gated(Gate::Interim)),
    row("RFC 9110 §15.2", Must, "Interim responses of the origin go on to clients of HTTP/1.1 as they come, without fields of one hop, and none comes from the store. Not over HTTP/2: the server has no way to send them.", Gated(Gate::InterimPassed)),
    row("RFC 9112 §6.3", Rule, "An answer with Content-Length beside Transfer-Encoding is an error: 502, and not stored.", Gated(Gate::Lengths)),
    row("RFC 9111 §5.2.2.2", Should, "must-revalidate while nobody answers is 504.", Gated(Gate::Disconnected)),
    row("RFC 9111 §4.1", Must, "The fields that Vary names are compared as the origin got them, those included that the gateway has written.", Gated(Gate::Written)),
    row("RFC 9111 §2", Rule, "Scheme and host of the key are those that a trusted proxy names; what it claims beside them is of the key too, and a purge by URL takes all.", Gated(Gate::Trusted)),
    row("RFC 9111 §4", May, "Concurrent requests for what is not stored are one request to the origin, when its answer may be shared.", Gated(Gate::Collapse)),
    row("RFC 9111 §4", Must, "They are a request each when it may not.", Gated(Gate::Private)),
    row("RFC 9111 §4", Choice, "Concurrent requests for the same part of what is not stored are one, too.", Gated(Gate::Parts)),
    row("RFC 9111 §4", Choice, "After an answer that may not be shared, the next ones do not wait for each other (`hit_for_miss`).", Gated(Gate::HitForMiss)),
    row("RFC 9111 §7.3", Choice, "The gateway stores nothing with Set-Cookie, unless its file says so.", Gated(Gate::Cookies)),
    row("RFC 9111 §7.1", Rule, "Fields with which a client could make an origin answer for others do not reach it.", Gated(Gate::Unkeyed)),
];
