//! The origin's answer, made fit for the client.

use std::fmt;

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, TRANSFER_ENCODING};
use http::response::Parts;
use http::{HeaderMap, Response, StatusCode, Version};
use http_body::Body as HttpBody;
use vhttp::{Body, BoxError, Interim, Reject, hop};

use crate::balance::Lease;
use crate::health::outlier::Outcome;
use crate::proxy::body::AnswerBody;
use crate::proxy::lend::Lender;
use crate::proxy::rules::Rules;
use crate::proxy::upgrade::{self, Wish};

/// Passes an answer on; the lease stays with its body.
///
/// Fails when the origin changed the protocol though nobody asked, or in another way than asked;
/// and when the answer says in two ways where it ends.
pub(crate) fn pass<B>(
    rules: &Rules,
    response: Response<B>,
    mut lease: Lease,
    upload: Lender,
    wish: Option<Wish>,
) -> Result<Response<Body>, Reject>
where
    B: HttpBody<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    let status = response.status();
    if status.is_informational() {
        return match wish.filter(|_| upgrade::accepts(&response)) {
            Some(wish) => {
                lease.report(Outcome::Success);
                Ok(wish.grant(response, lease, rules.tunnel_idle))
            }
            None => Err(bad(&mut lease, &format_args!("unasked status {}", status.as_u16()))),
        };
    }
    if has_two_lengths(&response) {
        return Err(bad(&mut lease, &"Content-Length beside Transfer-Encoding"));
    }
    let outcome = lease.upstream().judge(status);
    let good = outcome == Outcome::Reached;
    if good {
        lease.report(outcome);
    } else {
        lease.report_error(outcome, &format_args!("status {}", status.as_u16()));
    }
    let (mut parts, body) = response.into_parts();
    clean(&mut parts);
    if body.is_end_stream() {
        if good {
            lease.report(Outcome::Success);
        }
        return Ok(Response::from_parts(parts, Body::new(body)));
    }
    let body = AnswerBody::new(body, lease, good, upload, rules.idle_timeout);
    Ok(Response::from_parts(parts, Body::new(body)))
}

fn bad(lease: &mut Lease, why: &dyn fmt::Display) -> Reject {
    lease.report_error(Outcome::BadAnswer, why);
    Reject::new(StatusCode::BAD_GATEWAY, "upstream-bad-answer")
}

/// Whether a message has both a coding that ends it and a length: an attempt at response
/// splitting, to be handled as an error (RFC 9112 §6.3).
fn has_two_lengths<B>(response: &Response<B>) -> bool {
    let headers = response.headers();
    headers.contains_key(TRANSFER_ENCODING) && headers.contains_key(CONTENT_LENGTH)
}

/// Passes an interim response on to the client (RFC 9110 §15.2).
pub(crate) fn pass_interim(interim: &Interim, status: StatusCode, headers: &HeaderMap) {
    let mut headers = headers.clone();
    hop::remove(&mut headers);
    interim.send(status, &headers);
}

/// Removes what belongs to the origin's connection (RFC 9110 §7.6.1).
fn clean(parts: &mut Parts) {
    hop::remove(&mut parts.headers);
    // The version of a message is its sender's own (RFC 9110 §2.5).
    parts.version = Version::HTTP_11;
    parts.extensions.remove::<hyper::upgrade::OnUpgrade>();
}
