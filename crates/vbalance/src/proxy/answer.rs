//! The origin's answer, made fit for the client.

use bytes::Bytes;
use http::response::Parts;
use http::{Response, StatusCode, Version};
use http_body::Body as HttpBody;
use vhttp::{Body, BoxError, Reject, hop};

use crate::balance::Lease;
use crate::health::outlier::Outcome;
use crate::proxy::body::AnswerBody;
use crate::proxy::lend::Lender;
use crate::proxy::rules::Rules;
use crate::proxy::upgrade::{self, Wish};

/// Passes an answer on; the lease stays with its body.
///
/// Fails when the origin changed the protocol though nobody asked, or in another way than asked.
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
            None => Err(unasked(&mut lease, status)),
        };
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

fn unasked(lease: &mut Lease, status: StatusCode) -> Reject {
    let code = status.as_u16();
    lease.report_error(Outcome::BadAnswer, &format_args!("unasked status {code}"));
    Reject::new(StatusCode::BAD_GATEWAY, "upstream-bad-answer")
}

/// Removes what belongs to the origin's connection (RFC 9110 §7.6.1).
fn clean(parts: &mut Parts) {
    hop::remove(&mut parts.headers);
    // The version of a message is its sender's own (RFC 9110 §2.5).
    parts.version = Version::HTTP_11;
    parts.extensions.remove::<hyper::upgrade::OnUpgrade>();
}
