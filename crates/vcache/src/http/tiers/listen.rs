//! Hearing of the purges of other gateways, and telling them ours.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::time::{Instant, timeout};
use vtask::Backoff;

use crate::http::purge::{Fate, Pattern};
use crate::http::tiers::inner::Inner;
use crate::http::tiers::journal::{self, Record};
use crate::http::tiers::near::Near;
use crate::http::tiers::remote::{Ear, Remote};
use crate::random::Random;
use crate::store::StoreError;
use crate::store::redis::Script;

/// Longest wait before it is tried again to hear of purges at once.
const LONGEST_WAIT: Duration = Duration::from_secs(60);

impl Inner {
    /// Adds a purge to the journal, and learns of all before it.
    pub(super) async fn tell_all(
        &self,
        near: &dyn Near,
        remote: &Remote,
        pattern: &Pattern,
        hard: bool,
    ) -> Result<(), StoreError> {
        let member = journal::member(pattern, hard);
        let most = journal::MOST.to_string();
        let more: [&[u8]; 3] = [&member, most.as_bytes(), remote.channel.as_bytes()];
        let own = Record { pattern: pattern.clone(), hard, number: 0 };
        self.read_journal(near, remote, &remote.add, &more, Some(&own)).await
    }

    /// Learns of the purges of others.
    async fn catch_up(&self, near: &dyn Near, remote: &Remote) -> Result<(), StoreError> {
        self.read_journal(near, remote, &remote.news, &[], None).await
    }

    async fn read_journal(
        &self,
        near: &dyn Near,
        remote: &Remote,
        script: &Script,
        more: &[&[u8]],
        own: Option<&Record>,
    ) -> Result<(), StoreError> {
        let _turn = remote.reading.lock().await;
        let (sent, known) = (near.now(), self.journal.place());
        let fresh = Random::new().next().max(1).to_string();
        let (id, number) = (known.journal.to_string(), known.number.to_string());
        let mut args = vec![fresh.as_bytes(), id.as_bytes(), number.as_bytes()];
        args.extend(more);
        let news = remote.run(script, &args).await?;
        let is_new = news.journal != known.journal;
        if is_new {
            self.journal.begin(news.journal);
        }
        news.records.iter().for_each(|record| self.journal.add(record));
        self.journal.know(news.last, news.floor);
        let keep = near.keep_stale();
        if is_new || news.floor > known.number {
            // What was purged meanwhile nobody can tell.
            near.apply(&Pattern::Everything, Fate::Doubted { now: near.now(), keep });
        } else {
            // Its own the caller applies, and counts.
            let is_own = |record: &&Record| {
                own.is_some_and(|own| record.pattern == own.pattern && record.hard == own.hard)
            };
            for record in news.records.iter().filter(|record| !is_own(record)) {
                let now = near.now().min(record.time());
                let fate = if record.hard { Fate::Gone } else { Fate::Stale { now, keep } };
                near.apply(&record.pattern, fate);
            }
        }
        self.trust.extend(sent, remote.bound);
        Ok(())
    }
}

/// Reads the journal whenever somebody says that there is more, and every `ping`; as long as the
/// cache lives.
pub(super) async fn listen(inner: Arc<Inner>, near: Weak<dyn Near>) {
    let Some(remote) = &inner.remote else { return };
    let (mut ear, mut was_in_touch) = (None::<Ear>, None);
    // A server that cannot push is asked again seldom.
    let mut backoff = Backoff::new(remote.ping, LONGEST_WAIT);
    let mut next = Instant::now();
    loop {
        {
            let Some(near) = near.upgrade() else { return };
            let result = inner.catch_up(&*near, remote).await;
            tell_change(&inner, &*near, &result, &mut was_in_touch);
            if result.is_ok() {
                inner.tell_pending(&*near).await;
            }
        }
        ear = ear.filter(|ear| !ear.lost.load(Ordering::Relaxed));
        if ear.is_none() && was_in_touch == Some(true) && Instant::now() >= next {
            ear = remote.ear().await;
            if ear.is_some() {
                backoff.reset();
                // What was said before nobody has heard.
                continue;
            }
            next = Instant::now() + backoff.next_wait();
        }
        let _ = timeout(remote.ping, remote.nudge.notified()).await;
    }
}

/// Says when touch was lost and found; once each.
fn tell_change(
    inner: &Inner,
    near: &dyn Near,
    result: &Result<(), StoreError>,
    was_in_touch: &mut Option<bool>,
) {
    let is_in_touch = result.is_ok() || inner.trust.is_in_touch(near.now());
    inner.meters.in_touch(is_in_touch);
    if was_in_touch.replace(is_in_touch) == Some(is_in_touch) {
        return;
    }
    let cache = near.name();
    match result {
        Err(error) if !is_in_touch => {
            let why: &dyn std::error::Error = error;
            tracing::warn!(
                cache,
                error = why,
                "out of touch with other gateways: what is older than `offline_ttl` is validated"
            );
        }
        _ => tracing::info!(cache, "in touch with other gateways: their purges are heard of"),
    }
}
