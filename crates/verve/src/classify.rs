//! What a failure of vpool's client means to vbalance's proxy.

use vbalance::Failure;
use vhttp::BoxError;
use vpool::http::ClientError;

/// Sorts the errors of [`vpool::http::Client`] for [`vbalance::Proxy`]: what was never sent may be
/// tried again whatever it is, what may have arrived only when it is idempotent.
///
/// ```
/// let failure = verve::classify(&"something else".into());
/// assert!(matches!(failure, verve::balance::Failure::Other));
/// ```
#[must_use]
pub fn classify(error: &BoxError) -> Failure {
    let Some(error) = error.downcast_ref::<ClientError>() else {
        return Failure::Other;
    };
    if error.is_busy() {
        Failure::Busy
    } else if error.is_connect() || error.is_unprocessed() {
        Failure::NotSent
    } else if error.is_closed_before_answer() {
        Failure::ClosedBeforeAnswer { reused: error.is_reused_connection() }
    } else if error.is_timeout() {
        Failure::Timeout
    } else {
        Failure::Other
    }
}
