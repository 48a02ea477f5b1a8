//! Several workers and listeners, and what is said when one cannot be bound.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    dead_code,
    unreachable_pub,
    reason = "tests"
)]

mod fixture;

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use fixture::{LONG, config, get, http1};
use http::{Request, Response};
use http_body_util::BodyExt;
use vhttp::Body;
use vserver::{BindError, Config, ServeError, Server, TlsConfig, WorkerId};
use vtask::Shutdown;

const TWO: NonZeroUsize = NonZeroUsize::new(2).unwrap();

/// Answers with the worker and listener that it was made for.
fn tagged(
    id: WorkerId,
) -> impl tower::Service<Request<Body>, Response = Response<Body>, Error = Infallible, Future: Send>
+ Clone
+ Send
+ 'static {
    let tag = format!("{} {}", id.worker, id.listener);
    tower::service_fn(move |_: Request<Body>| {
        let tag = tag.clone();
        async move { Ok(Response::new(Body::from(tag))) }
    })
}

#[tokio::test]
async fn workers_share_each_port() {
    let server = Server::bind(vec![config(), config()], Some(TWO)).unwrap();
    let addresses = server.local_addrs().to_vec();
    assert_ne!(addresses[0], addresses[1]);
    let shutdown = Shutdown::new(LONG);
    let mut running = server.serve(tagged, shutdown.watch()).unwrap();
    let mut seen = BTreeSet::new();
    // The kernel picks the worker by a hash of the client's port.
    for round in 0..400 {
        let mut sender = http1(addresses[round % 2]).await;
        let response = sender.send_request(get("/")).await.unwrap();
        let tag = response.collect().await.unwrap().to_bytes();
        seen.insert(String::from_utf8(tag.to_vec()).unwrap());
    }
    assert_eq!(seen.into_iter().collect::<Vec<_>>(), ["0 0", "0 1", "1 0", "1 1"]);
    assert_eq!(running.monitor().stats().accepted, 400);
    assert_eq!(running.monitor().listener_stats(1).unwrap().accepted, 200);
    shutdown.begin();
    assert_eq!(running.wait().aborted, 0);
}

#[tokio::test]
async fn an_address_in_use_is_named_with_a_fix() {
    let server = Server::bind(vec![config()], Some(TWO)).unwrap();
    let taken = server.local_addrs()[0];
    let second = Config { listen: taken, ..config() };
    let error = Server::bind(vec![config(), second], Some(TWO)).unwrap_err();
    assert_eq!(error.listen(), Some(taken));
    let text = error.to_string();
    assert!(text.starts_with(&format!("{taken} is in use; stop the process")), "{text}");
}

#[test]
fn what_can_never_work_is_refused_before_anything_is_bound() {
    assert!(matches!(Server::bind(Vec::new(), None), Err(BindError::NoListener)));
    let zero = Config { first_byte_timeout: Duration::ZERO, ..config() };
    assert!(matches!(Server::bind(vec![zero], None), Err(BindError::Config { .. })));
    let tls = Config {
        tls: Some(TlsConfig {
            cert: PathBuf::from("/nowhere/cert.pem"),
            key: PathBuf::from("/nowhere/key.pem"),
        }),
        ..config()
    };
    let error = Server::bind(vec![tls], None).unwrap_err();
    let reason = std::error::Error::source(&error).unwrap().to_string();
    if cfg!(feature = "tls") {
        assert!(reason.contains("/nowhere/cert.pem"), "{reason}");
    } else {
        assert!(reason.contains("feature `tls`"), "{reason}");
    }
}

#[test]
fn a_panic_while_services_are_made_is_an_error() {
    let server = Server::bind(vec![config()], Some(TWO)).unwrap();
    let shutdown = Shutdown::new(LONG);
    let make = |id: WorkerId| {
        assert_eq!(id.worker, 0, "only the first worker's services can be made");
        tagged(id)
    };
    let error = server.serve(make, shutdown.watch()).unwrap_err();
    assert!(matches!(error, ServeError::Panicked { worker: 1 }), "{error}");
}
