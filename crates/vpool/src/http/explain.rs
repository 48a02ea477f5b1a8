//! What a lost request means for the caller.

use std::error::Error as StdError;

use vhttp::BodyError;

use crate::http::conn::Lost;
use crate::http::error::{ClientError, ErrorKind};
use crate::http::origin::OriginRef;

/// The error for a request that got no response head on a connection.
pub(crate) fn explain(lost: Lost, reused: bool, origin: OriginRef<'_>) -> ClientError {
    ClientError::new(kind(&lost), Some(origin.to_origin())).on_reused(reused).because(lost.error)
}

fn kind(lost: &Lost) -> ErrorKind {
    let error = &lost.error;
    if error.is_body_write_aborted() || find::<BodyError>(error).is_some() {
        return ErrorKind::Upload;
    }
    if lost.request.is_some() || !lost.written {
        return ErrorKind::Connect;
    }
    if let Some(error) = find::<h2::Error>(error) {
        return http2_kind(error);
    }
    // Bytes that came are a head cut short at best.
    if error.is_parse() || lost.read {
        return ErrorKind::Answer;
    }
    ErrorKind::Unanswered
}

fn http2_kind(error: &h2::Error) -> ErrorKind {
    let reason = error.reason();
    if error.is_reset() && error.is_remote() {
        return match reason {
            Some(h2::Reason::REFUSED_STREAM) => ErrorKind::Refused,
            _ => ErrorKind::Answer,
        };
    }
    // A graceful GOAWAY ends only the streams above its last one (RFC 9113 §6.8).
    if error.is_go_away() && error.is_remote() && reason == Some(h2::Reason::NO_ERROR) {
        return ErrorKind::Refused;
    }
    ErrorKind::Unanswered
}

/// The first error of type `E` in the chain of causes.
fn find<'a, E: StdError + 'static>(error: &'a (dyn StdError + 'static)) -> Option<&'a E> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref::<E>() {
            return Some(found);
        }
        next = error.source();
    }
    None
}
