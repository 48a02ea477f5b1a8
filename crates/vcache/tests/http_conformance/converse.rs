//! Runs a conversation through the layer, with a service for an origin.

use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use http::Method;
use vcache::http::{Config, HttpCache};
use vhttp::Body;

use crate::expect::{Seen, check, dated, fields};
use crate::http_origin::{Answering, Reply, after, ask, chunks, down, now, response, send, stack};
use crate::row::Fields;
use crate::script::{Origin, Step};

pub(crate) fn run(config: Config, steps: &'static [Step]) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    runtime.block_on(converse(config, steps, async |_| {
        // What goes on behind the answer.
        tokio::time::sleep(Duration::from_millis(1)).await;
    }));
}

/// One step after the other; and `between` them what it does to the cache.
pub(crate) async fn converse(
    config: Config,
    steps: &'static [Step],
    between: impl AsyncFn(HttpCache),
) {
    let origin = Arc::new(Mutex::new(Origin::Silent));
    let script = Arc::clone(&origin);
    let begun = SystemTime::now();
    let (cache, log, handle) = stack(config, move |_, _| answer(*script.lock().unwrap(), begun));
    for (index, step) in steps.iter().enumerate() {
        tokio::time::advance(Duration::from_secs(step.wait)).await;
        *origin.lock().unwrap() = step.origin;
        let (method, path) = step.request.split_once(' ').unwrap();
        let lines = fields(&dated(step.fields, begun));
        let lines: Vec<_> = lines.iter().map(|(n, v)| (n.as_str(), v.to_str().unwrap())).collect();
        let request = ask(Method::from_bytes(method.as_bytes()).unwrap(), path, &lines);
        let before = log.count();
        let reply = send(&cache, request).await;
        between(handle.clone()).await;
        let asked = log.count() - before;
        let is_silent = matches!(step.origin, Origin::Silent);
        assert_eq!(asked == 0, is_silent, "step {index}: the origin was asked {asked} times");
        for expect in step.expect {
            let sent = (asked > 0).then(|| log.last().headers);
            check((index, begun), *expect, reply.as_ref().ok().map(seen), sent.as_ref());
        }
    }
}

fn seen(reply: &Reply) -> Seen<'_> {
    Seen { status: reply.status.as_u16(), headers: &reply.headers, body: reply.body.as_deref() }
}

fn answer(origin: Origin, begun: SystemTime) -> Answering {
    let with = |status, text: Fields, body: Body| {
        let lines = fields(&dated(text, begun));
        let lines: Vec<_> = lines.iter().map(|(n, v)| (n.as_str(), v.to_str().unwrap())).collect();
        response(status, &lines, body)
    };
    match origin {
        Origin::Silent => panic!("the origin was not to be asked"),
        Origin::Answers(status, fields, body) => now(with(status, fields, Body::from(body))),
        Origin::BreaksOff(status, fields, body) => {
            now(with(status, fields, chunks(&[Ok(body), Err("broken")])))
        }
        Origin::Slow(seconds, status, fields, body) => {
            after(Duration::from_secs(seconds), with(status, fields, Body::from(body)))
        }
        Origin::Down => down(),
    }
}
