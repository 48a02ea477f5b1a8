//! The holder of a key: gives it back whatever becomes of the request.

use std::sync::{Arc, Weak};
use std::task::{Context, Waker};
use std::time::Duration;

use bytes::Bytes;
use tokio::time::sleep;

use crate::http::idempotency::digest::Digest;
use crate::http::idempotency::runs::Runs;
use crate::http::idempotency::shared::Shared;
use crate::http::idempotency::store::{Claim, Token};
use crate::store::StoreError;

/// How often an answer is tried to be kept.
const TRIES: u32 = 3;
/// The shortest pause between two renewals.
const LEAST: Duration = Duration::from_millis(10);
/// The pause before the second try; the next one is twice as long.
const PAUSE: Duration = Duration::from_millis(100);

/// A claim, from before it is made until it is completed or given back; dropped, it is given back.
pub(crate) struct Lead {
    shared: Arc<Shared>,
    runs: Weak<Runs>,
    key: Digest,
    fingerprint: Digest,
    token: Token,
    /// Whether the store may count us as the holder.
    held: bool,
}

impl Lead {
    pub(crate) fn new(
        shared: &Arc<Shared>,
        runs: &Arc<Runs>,
        (key, fingerprint): (Digest, Digest),
    ) -> Self {
        Self {
            shared: Arc::clone(shared),
            runs: Arc::downgrade(runs),
            key,
            fingerprint,
            token: Token::unique(),
            held: false,
        }
    }

    pub(crate) const fn key(&self) -> &Digest {
        &self.key
    }

    pub(crate) const fn fingerprint(&self) -> &Digest {
        &self.fingerprint
    }

    /// Asks the store for the key.
    ///
    /// Cancel safety: dropped while it asks, it gives back what it may have got.
    pub(crate) async fn claim(&mut self) -> Result<Claim, StoreError> {
        self.held = true;
        let lease = self.shared.config.lease;
        let claim = self.shared.store.claim(&self.key, &self.fingerprint, self.token, lease).await;
        match &claim {
            Ok(Claim::Won) => {}
            Ok(_) => self.held = false,
            // It may have won: the guard gives it back.
            Err(error) => self.shared.store_failed(error),
        }
        claim
    }

    /// Renews the lease for ever.
    pub(crate) fn renewal(&self) -> impl Future<Output = ()> + Send + use<> {
        let (shared, key, token) = (Arc::clone(&self.shared), self.key, self.token);
        async move {
            let lease = shared.config.lease;
            loop {
                sleep((lease / 3).max(LEAST)).await;
                if let Err(error) = shared.store.renew(&key, token, lease).await {
                    shared.store_failed(&error);
                }
            }
        }
    }

    /// Leaves the answer and ends the claim.
    pub(crate) async fn complete(mut self, answer: Bytes) {
        let ttl = self.shared.config.ttl;
        for attempt in 0..TRIES {
            if attempt > 0 {
                sleep(PAUSE * (1 << (attempt - 1))).await;
            }
            let (store, answer) = (&self.shared.store, answer.clone());
            match store.complete(&self.key, &self.fingerprint, self.token, answer, ttl).await {
                Ok(_) => break,
                Err(error) => self.shared.store_failed(&error),
            }
        }
        // It was carried out: where the answer could not be kept, the lease keeps others away for
        // a while longer.
        self.held = false;
    }

    /// Ends the claim without an answer.
    pub(crate) async fn release(mut self) {
        if let Err(error) = self.shared.store.release(&self.key, self.token).await {
            self.shared.store_failed(&error);
        }
        self.held = false;
    }
}

impl Drop for Lead {
    fn drop(&mut self) {
        if !self.held {
            return;
        }
        let (shared, key, token) = (Arc::clone(&self.shared), self.key, self.token);
        let mut release = Box::pin(async move {
            if let Err(error) = shared.store.release(&key, token).await {
                shared.store_failed(&error);
            }
        });
        // In memory it is done at once, also where no runtime is left.
        let done = release.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_ready();
        if !done && let Some(runs) = self.runs.upgrade() {
            // Where it cannot be done, the lease ends by itself.
            let _ = runs.spawn(release);
        }
    }
}
