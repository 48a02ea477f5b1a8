//! A cache in miniature: keys without values under the same policy, to see how often it hits
//! (Waldspurger, Saemundsson, Ahmad, Park: "Cache Modeling and Optimization using Miniature
//! Simulations", USENIX ATC 2017).

use hashbrown::HashTable;

use super::meta::{Meta, Place};
use super::policy::{PARTS, Plan, Policy, Seats};

/// The window's share is looked at again after so many accesses for each entry.
const SAMPLE: usize = 10;
/// Smallest and largest share of the window.
const LEAST_WINDOW: f64 = 0.01;
const MOST_WINDOW: f64 = 0.8;
/// The window of a miniature that admits by recency, which S3-FIFO's authors found best.
const RECENT_WINDOW: f64 = 0.1;
/// The most that the share moves at once, and how far for each power of e between densities.
const MOST_STEP: f64 = 0.3;
const STEP: f64 = 0.03;

#[derive(Debug)]
pub(super) struct Miniature {
    seats: Places,
    index: HashTable<u32>,
    policy: Policy,
    recency: bool,
    age: u8,
    /// The window's share.
    window: f64,
    accesses: usize,
    hits_in_window: u32,
    hits_in_main: u32,
}

#[derive(Debug, Default)]
struct Places {
    metas: Vec<Option<Meta>>,
    free: Vec<u32>,
}

impl Seats for Places {
    fn seat(&mut self, at: u32) -> Option<&mut Meta> {
        self.metas.get_mut(at as usize)?.as_mut()
    }

    fn peek(&self, at: u32) -> Option<&Meta> {
        meta(&self.metas, at)
    }

    /// All of a miniature is near.
    fn fetch(&self, _: u32) {}

    fn end(&self) -> u32 {
        u32::try_from(self.metas.len()).unwrap_or(u32::MAX)
    }

    fn len(&self) -> usize {
        self.metas.len() - self.free.len()
    }
}

impl Miniature {
    /// A miniature of a cache that is `scale` times as large.
    pub(super) fn new(recency: bool, age: u8, scale: usize) -> Self {
        Self {
            seats: Places::default(),
            index: HashTable::new(),
            policy: Policy::scaled(scale),
            recency,
            age,
            window: if recency { RECENT_WINDOW } else { LEAST_WINDOW },
            accesses: 0,
            hits_in_window: 0,
            hits_in_main: 0,
        }
    }

    /// What it goes by; `hits` for each 16 misses are added by whoever counts them.
    pub(super) fn plan(&self, hits: u16) -> Plan {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a share below one, so below 65,536 parts"
        )]
        let window = (self.window * 65_536.0) as u16;
        Plan { recency: self.recency, window, age: self.age, hits }
    }

    /// Reads a key and stores it if it is missing; whether it was there. There is room for
    /// `capacity` keys.
    pub(super) fn access(&mut self, hash: u32, capacity: usize) -> bool {
        self.accesses += 1;
        if self.accesses > SAMPLE * capacity {
            self.steer();
        }
        let metas = &self.seats.metas;
        let same = |at: &u32| meta(metas, *at).is_some_and(|meta| meta.hash == hash);
        if let Some(found) = self.index.find(u64::from(hash), same).and_then(|at| meta(metas, *at))
        {
            found.touch();
            match found.place {
                Place::Window => self.hits_in_window += 1,
                Place::Main => self.hits_in_main += 1,
                // Nothing is, here.
                Place::Pinned => {}
            }
            let plan = self.plan(0);
            self.policy.age(u64::from(PARTS), plan);
            return true;
        }
        let plan = self.plan(0);
        while self.seats.len() >= capacity.max(1) {
            self.evict(plan);
        }
        let newcomer = self.policy.arrive(hash, plan);
        self.seat(newcomer);
        false
    }

    fn seat(&mut self, newcomer: Meta) {
        let hash = newcomer.hash;
        let at = self.seats.free.pop().unwrap_or_else(|| {
            self.seats.metas.push(None);
            self.seats.end() - 1
        });
        if let Some(seat) = self.seats.metas.get_mut(at as usize) {
            *seat = Some(newcomer);
        }
        self.policy.seated(at, &mut self.seats);
        let metas = &self.seats.metas;
        let hash_of = |at: &u32| meta(metas, *at).map_or(0, |meta| u64::from(meta.hash));
        self.index.insert_unique(u64::from(hash), at, hash_of);
    }

    fn evict(&mut self, plan: Plan) {
        let Some(at) = self.policy.victim(&mut self.seats, plan) else {
            return;
        };
        let Some(gone) = self.seats.metas.get_mut(at as usize).and_then(Option::take) else {
            return;
        };
        self.seats.free.push(at);
        if let Ok(found) = self.index.find_entry(u64::from(gone.hash), |other| *other == at) {
            found.remove();
        }
        self.policy.evicted(&gone);
    }

    /// Moves the border between window and main towards the side where a slot hits more often.
    fn steer(&mut self) {
        let density = |hits: u32, share: f64| (f64::from(hits) + 1.0) / share;
        let ratio = density(self.hits_in_window, self.window)
            / density(self.hits_in_main, 1.0 - self.window);
        if !self.recency {
            let step = (STEP * ratio.ln()).clamp(-MOST_STEP, MOST_STEP);
            self.window = (self.window + step).clamp(LEAST_WINDOW, MOST_WINDOW);
        }
        (self.accesses, self.hits_in_window, self.hits_in_main) = (0, 0, 0);
    }
}

fn meta(metas: &[Option<Meta>], at: u32) -> Option<&Meta> {
    metas.get(at as usize)?.as_ref()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hash(key: u32) -> u32 {
        let mixed = (u64::from(key) + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        u32::try_from(mixed >> 32).unwrap()
    }

    fn hits(recency: bool, capacity: usize, keys: impl IntoIterator<Item = u32>) -> usize {
        let mut cache = Miniature::new(recency, 8, 1);
        let hits = keys.into_iter().filter(|key| cache.access(hash(*key), capacity)).count();
        assert!(cache.seats.len() <= capacity);
        hits
    }

    #[test]
    fn frequency_holds_a_part_of_a_loop() {
        let rounds = || (0..50).flat_map(|_| 0..1000);
        let most = 50 * 200;
        let hits = hits(false, 200, rounds());
        assert!(hits > most * 7 / 10, "{hits} of {most}");
    }

    #[test]
    fn what_is_used_again_outlives_a_scan() {
        for recency in [false, true] {
            let popular =
                |turn: u32| (0..4).flat_map(|_| 0..50).chain(100 + 500 * turn..600 + 500 * turn);
            let hits = hits(recency, 200, (0..20).flat_map(popular));
            assert!(hits > 20 * 190, "{recency}: {hits}");
        }
    }

    #[test]
    fn recency_follows_what_moves() {
        // Each key is used for a while, and never again.
        let moving = || (0..100_000_u32).map(|at| at / 40 + at.wrapping_mul(at) % 97);
        assert!(hits(true, 200, moving()) > 95_000);
    }
}
