//! What is held as long as a connection's transport lives.

use tokio_util::task::task_tracker::TaskTrackerToken;

use crate::stats::Place;

/// What is held as long as a connection's transport lives. It travels with the transport, so an
/// upgraded connection keeps it.
pub(crate) struct Hold {
    /// The place under `max_connections`.
    pub(crate) _place: Place,
    /// What the accept loop's drain waits for.
    pub(crate) _token: TaskTrackerToken,
    /// What the whole shutdown waits for.
    pub(crate) _guard: vtask::InFlight,
}
