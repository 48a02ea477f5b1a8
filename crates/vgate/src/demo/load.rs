//! Traffic that the demo drives at itself: a few popular pages, many rare ones.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use http::Request;
use http_body_util::BodyExt as _;
use tower_service::Service as _;
use verve::http::Body;
use verve::pool::http::Client;
use verve::task::{Task, every};
use verve::unit::Rate;

/// Requests under way at most; ticks that find no place are skipped.
const CLIENTS: u32 = 16;

/// Answers so far, by class.
#[derive(Debug, Default)]
struct Answers {
    good: AtomicU64,
    bad: AtomicU64,
}

/// The running load; dropping it ends it.
#[derive(Debug)]
pub(crate) struct Load {
    _clients: Vec<Task>,
    _report: Task,
}

impl Load {
    /// Asks the gateway at `address` at about `rate` in all, until it is dropped.
    pub(crate) fn start(address: SocketAddr, rate: Rate, client: &Client) -> Self {
        let answers = Arc::new(Answers::default());
        let period = rate.period() * CLIENTS / rate.amount().get();
        let clients =
            (0..CLIENTS).map(|seed| walk(address, period, seed, client.clone(), &answers));
        Self { _clients: clients.collect(), _report: report(answers) }
    }
}

fn walk(
    address: SocketAddr,
    period: Duration,
    seed: u32,
    client: Client,
    answers: &Arc<Answers>,
) -> Task {
    let answers = Arc::clone(answers);
    let step = Arc::new(AtomicU64::new(u64::from(seed) << 32));
    every(period.max(Duration::from_millis(1)), 0.5, move || {
        let (mut client, answers) = (client.clone(), Arc::clone(&answers));
        let page = popular(step.fetch_add(1, Ordering::Relaxed));
        async move {
            let uri = format!("http://{address}/api/products?page={page}");
            let request = Request::get(uri).header("accept-encoding", "gzip").body(Body::empty());
            let Ok(request) = request else { return };
            let counter = match client.call(request).await {
                Ok(answer) if answer.status().is_success() => {
                    // Read to the end, so that the connection can be used again.
                    let whole = answer.into_body().collect().await;
                    if whole.is_ok() { &answers.good } else { &answers.bad }
                }
                _ => &answers.bad,
            };
            counter.fetch_add(1, Ordering::Relaxed);
        }
    })
}

/// A page number from 1 to 1024; small ones come more often, about as in life.
fn popular(step: u64) -> u64 {
    // SplitMix64 (Steele, Lea and Flood, OOPSLA 2014).
    let mut z = step.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    // As many bits as the first ten say: halving the rank doubles its share.
    let bits = z % 11;
    1 + ((z >> 16) & ((1 << bits) - 1))
}

fn report(answers: Arc<Answers>) -> Task {
    let last = Arc::new(AtomicU64::new(0));
    every(Duration::from_secs(10), 0.0, move || {
        let (good, bad) =
            (answers.good.load(Ordering::Relaxed), answers.bad.load(Ordering::Relaxed));
        let new = good - last.swap(good, Ordering::Relaxed);
        if good + bad > 0 {
            tracing::info!(per_second = new / 10, good, bad, "load");
        }
        async {}
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_are_in_range_and_the_first_is_the_most_popular() {
        let mut counts = vec![0u32; 1025];
        for step in 0..20_000 {
            let page = usize::try_from(popular(step)).unwrap();
            counts[page] += 1;
        }
        let most = counts.iter().copied().max();
        assert_eq!(most, Some(counts[1]));
        assert_eq!(counts[0], 0);
    }
}
