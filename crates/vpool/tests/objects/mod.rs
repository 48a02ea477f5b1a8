//! A manager of numbers, which fails and lingers as the test says.

#![allow(dead_code, unreachable_pub, reason = "each test file uses its part")]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use vpool::{Config, Manager, ObjectMetrics, Pool, RecycleResult};

#[derive(Debug, Default)]
struct State {
    made: AtomicUsize,
    open: AtomicUsize,
    failing: AtomicBool,
    unfit: AtomicBool,
    create_ms: AtomicU64,
    check_ms: AtomicU64,
}

#[derive(Clone, Debug, Default)]
pub struct Objects(Arc<State>);

/// A number, counted as long as it lives.
#[derive(Debug)]
pub struct Object {
    pub number: usize,
    state: Arc<State>,
}

impl Drop for Object {
    fn drop(&mut self) {
        self.state.open.fetch_sub(1, Ordering::SeqCst);
    }
}

#[derive(Debug)]
pub struct Down;

impl std::fmt::Display for Down {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the server is down")
    }
}

impl std::error::Error for Down {}

impl Objects {
    pub fn set_failing(&self, failing: bool) {
        self.0.failing.store(failing, Ordering::SeqCst);
    }

    pub fn set_unfit(&self, unfit: bool) {
        self.0.unfit.store(unfit, Ordering::SeqCst);
    }

    pub fn set_create_time(&self, time: Duration) {
        let ms = u64::try_from(time.as_millis()).unwrap();
        self.0.create_ms.store(ms, Ordering::SeqCst);
    }

    pub fn set_check_time(&self, time: Duration) {
        let ms = u64::try_from(time.as_millis()).unwrap();
        self.0.check_ms.store(ms, Ordering::SeqCst);
    }

    pub fn made(&self) -> usize {
        self.0.made.load(Ordering::SeqCst)
    }

    pub fn open(&self) -> usize {
        self.0.open.load(Ordering::SeqCst)
    }
}

async fn linger(ms: &AtomicU64) {
    let ms = ms.load(Ordering::SeqCst);
    tokio::time::sleep(Duration::from_millis(ms)).await;
}

impl Manager for Objects {
    type Type = Object;
    type Error = Down;

    async fn create(&self) -> Result<Object, Down> {
        linger(&self.0.create_ms).await;
        if self.0.failing.load(Ordering::SeqCst) {
            return Err(Down);
        }
        self.0.open.fetch_add(1, Ordering::SeqCst);
        Ok(Object {
            number: self.0.made.fetch_add(1, Ordering::SeqCst),
            state: Arc::clone(&self.0),
        })
    }

    async fn recycle(&self, _: &mut Object, _: &ObjectMetrics) -> RecycleResult<Down> {
        linger(&self.0.check_ms).await;
        if self.0.unfit.load(Ordering::SeqCst) {
            return Err(Down.into());
        }
        Ok(())
    }
}

pub fn pool(objects: Objects, config: Config) -> Pool<Objects> {
    Pool::builder(objects).config(config).build().unwrap()
}
