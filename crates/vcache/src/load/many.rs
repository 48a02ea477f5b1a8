//! One load for many keys, each of them in the flight like any other.

use std::collections::HashMap;
use std::future::Future;
use std::hash::Hash;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures_channel::oneshot;
use futures_util::future::join_all;
use futures_util::{FutureExt, TryFutureExt};

use crate::error::LoadError;
use crate::load::circle::{Group, within};
use crate::load::flight::{Flight, Ticket};
use crate::load::leader::{Behind, Leading};

/// The keys that a load of many is to bring.
pub(crate) type Wanted<K> = Vec<(K, Ticket)>;
/// What a load of many has for each of them.
pub(crate) type Each<K, V> = HashMap<K, Result<V, LoadError>>;

impl<K, V> Flight<K, V>
where
    K: Hash + Eq + Clone + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
{
    /// Waits for the loads of all `keys`, starting one `load` for those that nobody loads yet.
    /// Keys for which it brings nothing are missing in the answer.
    pub(crate) async fn run_many<F, Fut>(
        &self,
        keys: Vec<K>,
        load: F,
        behind: Option<Behind<'_>>,
    ) -> Result<HashMap<K, V>, LoadError>
    where
        F: FnOnce(Wanted<K>) -> Fut + Send + 'static,
        Fut: Future<Output = Result<HashMap<K, V>, LoadError>> + Send + 'static,
    {
        let each = |loaded: HashMap<K, V>| loaded.into_iter().map(|(key, it)| (key, Ok(it)));
        let load = move |wanted| load(wanted).map_ok(move |loaded| each(loaded).collect());
        let mut found = HashMap::with_capacity(keys.len());
        for (key, ended) in self.run_each(keys, load, behind).await? {
            match ended {
                Ok(value) => drop(found.insert(key, value)),
                Err(LoadError::Absent) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(found)
    }

    /// The same, with what became of each key.
    pub(crate) async fn run_each<F, Fut>(
        &self,
        keys: Vec<K>,
        load: F,
        behind: Option<Behind<'_>>,
    ) -> Result<Vec<(K, Result<V, LoadError>)>, LoadError>
    where
        F: FnOnce(Wanted<K>) -> Fut + Send + 'static,
        Fut: Future<Output = Result<Each<K, V>, LoadError>> + Send + 'static,
    {
        let (tell, told) = oneshot::channel::<Wanted<K>>();
        let max = self.loads.gate.max();
        let batch = async move {
            // Untold only if too many loads were under way before all keys had joined.
            let keys = told.await.map_err(|_| LoadError::TooMany { max })?;
            let group: Group = keys.iter().map(|(_, ticket)| ticket.node().clone()).collect();
            within(group, async move { load(keys).await }).await.map(Arc::new)
        };
        let caught = AssertUnwindSafe(batch).catch_unwind();
        let batch = caught.map(|ended| ended.unwrap_or(Err(LoadError::Panicked))).boxed().shared();
        let (mut wanted, mut waiting) = (Vec::new(), Vec::with_capacity(keys.len()));
        let (mut circles, mut edges) = (Vec::new(), Vec::new());
        for key in keys {
            let (own, batch) = (key.clone(), batch.clone());
            let absent = Err(LoadError::Absent);
            let share = async move { batch.await?.get(&own).cloned().unwrap_or(absent) };
            let joined = match self.join(key.clone(), &mut Some(|_| share)) {
                Err(LoadError::Recursive) => {
                    circles.push((key, Err(LoadError::Recursive)));
                    continue;
                }
                joined => joined?,
            };
            wanted.extend(joined.started.map(|ticket| (key.clone(), ticket)));
            edges.extend(joined.edge);
            waiting.push((key, joined.waiting));
        }
        // Dropped only with the batch, when no key is wanted of it.
        let leads = !wanted.is_empty();
        let _ = tell.send(wanted);
        let (keys, shares): (Vec<K>, Vec<_>) = waiting.into_iter().unzip();
        let loads = || join_all(shares.iter().map(|share| share.load.clone()));
        let (ended, rest) = (loads(), loads());
        let rest = async move {
            drop(rest.await);
            drop(shares);
        };
        let leading = Leading::new(behind.filter(|_| leads), rest);
        let ended = ended.await;
        leading.done();
        drop(edges);
        Ok(keys.into_iter().zip(ended).chain(circles).collect())
    }
}
