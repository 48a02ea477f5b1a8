//! Names, labels and descriptions of what the layer measures.

use crate::handle::Handle;

pub(crate) const REQUESTS: &str = "http_requests_total";
pub(crate) const DURATION: &str = "http_request_duration_seconds";
pub(crate) const FIRST_BYTE: &str = "http_request_first_byte_seconds";
pub(crate) const IN_FLIGHT: &str = "http_requests_in_flight";

pub(crate) const ROUTE: &str = "route";
pub(crate) const METHOD: &str = "method";
pub(crate) const STATUS: &str = "status";
pub(crate) const CACHE: &str = "cache";

/// The route of requests that no route took. The path never stands in: whoever scans for
/// weaknesses would make a series of every guess.
pub(crate) const UNMATCHED: &str = "unmatched";

/// The route of requests beyond the cap of routes.
pub(crate) const OVERFLOW: &str = "overflow";

/// Describes the layer's metrics.
pub(crate) fn describe(handle: &Handle) {
    handle.describe_counter(
        REQUESTS,
        "Requests finished, by exact status; 499 when the client left first, `error` when no \
         whole answer was made.",
    );
    handle.describe_histogram(
        DURATION,
        "Time from the request's head to the end of the answer's body, in seconds.",
    );
    handle.describe_histogram(
        FIRST_BYTE,
        "Time from the request's head to the answer's head, in seconds.",
    );
    handle.describe_gauge(IN_FLIGHT, "Requests whose answers have not ended, bodies included.");
}
