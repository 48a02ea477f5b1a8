//! Where those wait who want to hear of a lease's end.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ::redis::aio::MultiplexedConnection;
use ::redis::{Msg, PushInfo, PushKind, RedisError};
use tokio::sync::watch;
use tokio::time::timeout;

use super::dial::Dialer;
use crate::store::lease::Released;

/// Channels that nobody waits for any more are left at once when there are so many.
const IDLE: usize = 64;

/// All who wait, by channel, and the connection over which they hear.
#[derive(Default)]
pub(super) struct Room {
    places: Arc<Places>,
    ear: tokio::sync::Mutex<Option<Ear>>,
}

#[derive(Default)]
struct Places(Mutex<HashMap<String, Waited>>);

/// A channel that somebody waits for.
struct Waited {
    news: watch::Sender<Option<Released>>,
    waiters: usize,
}

/// A connection, and the channels it listens to.
struct Ear {
    connection: MultiplexedConnection,
    channels: HashSet<String>,
    lost: Arc<AtomicBool>,
}

/// One who waits; leaves when dropped.
pub(super) struct Place {
    places: Arc<Places>,
    channel: String,
    news: watch::Receiver<Option<Released>>,
}

impl Room {
    /// Takes a place before listening, so that nothing is missed.
    pub(super) fn enter(&self, channel: &str) -> Place {
        let mut places = self.places.lock();
        let waited = places
            .entry(channel.to_owned())
            .or_insert_with(|| Waited { news: watch::Sender::new(None), waiters: 0 });
        waited.waiters += 1;
        let mut news = waited.news.subscribe();
        // What was told before concerns another lease.
        news.mark_unchanged();
        Place { places: Arc::clone(&self.places), channel: channel.to_owned(), news }
    }

    /// Listens to `channel` from the return of this on, connecting if need be.
    pub(super) async fn listen(&self, dialer: &Dialer, channel: &str) -> Result<(), RedisError> {
        let mut ear = self.ear.lock().await;
        if ear.as_ref().is_none_or(|ear| ear.lost.load(Ordering::Relaxed)) {
            *ear = None;
            *ear = Some(self.connected(dialer).await?);
        }
        let Some(ear) = ear.as_mut() else { return Ok(()) };
        if ear.channels.contains(channel) {
            return Ok(());
        }
        self.leave_idle(dialer, ear).await?;
        dialer.limited(ear.connection.subscribe(channel)).await?;
        ear.channels.insert(channel.to_owned());
        Ok(())
    }

    async fn connected(&self, dialer: &Dialer) -> Result<Ear, RedisError> {
        let lost = Arc::new(AtomicBool::new(false));
        let made = dialer
            .listener(|_| {
                let (places, lost) = (Arc::clone(&self.places), Arc::clone(&lost));
                move |push: PushInfo| {
                    places.hear(push, &lost);
                    Ok::<_, std::convert::Infallible>(())
                }
            })
            .await?;
        Ok(Ear { connection: made.connection, channels: HashSet::new(), lost })
    }

    async fn leave_idle(&self, dialer: &Dialer, ear: &mut Ear) -> Result<(), RedisError> {
        let idle: Vec<String> = {
            let places = self.places.lock();
            let idle = ear.channels.iter().filter(|channel| !places.contains_key(*channel));
            idle.cloned().collect()
        };
        if idle.len() < IDLE {
            return Ok(());
        }
        dialer.limited(ear.connection.unsubscribe(&idle)).await?;
        for channel in &idle {
            ear.channels.remove(channel);
        }
        Ok(())
    }
}

impl Places {
    fn lock(&self) -> MutexGuard<'_, HashMap<String, Waited>> {
        // Nothing in the critical sections panics; a poisoned lock is as good as any.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn hear(&self, push: PushInfo, lost: &AtomicBool) {
        if push.kind == PushKind::Disconnection {
            lost.store(true, Ordering::Relaxed);
            // Whatever they wait for, they would not hear of it.
            for waited in self.lock().values() {
                waited.news.send_replace(Some(Released::Unknown));
            }
            return;
        }
        let Some(message) = Msg::from_push_info(push) else { return };
        let released = match message.get_payload_bytes() {
            b"filled" => Released::Filled,
            b"given up" => Released::GivenUp,
            _ => Released::Unknown,
        };
        if let Some(waited) = self.lock().get(message.get_channel_name()) {
            waited.news.send_replace(Some(released));
        }
    }
}

impl Place {
    /// What was told since the place was taken.
    pub(super) fn heard(&self) -> Released {
        match self.news.has_changed() {
            Ok(true) => self.news.borrow().unwrap_or(Released::Unknown),
            _ => Released::Unknown,
        }
    }

    /// Waits for news, but no longer than `most`.
    pub(super) async fn wait(mut self, most: Duration) -> Released {
        match timeout(most, self.news.changed()).await {
            Ok(Ok(())) => self.news.borrow().unwrap_or(Released::Unknown),
            _ => Released::Unknown,
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut places = self.places.lock();
        if let Some(waited) = places.get_mut(&self.channel) {
            waited.waiters -= 1;
            if waited.waiters == 0 {
                places.remove(&self.channel);
            }
        }
    }
}
