//! Chooses the policy's plan by experiment: miniatures of the cache race on a sample of the keys,
//! and the cache goes by the plan of the leader.
//!
//! Sets of keys that duel for the policy of a whole cache: Qureshi et al., "Adaptive Insertion
//! Policies for High Performance Caching", ISCA 2007.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use super::miniature::Miniature;
use super::policy::{PARTS, Plan};

/// Keys that a miniature holds, if the cache holds enough.
const KEYS: usize = 512;
/// At most one key in so many is sampled, so that small caches stay fast.
const LEAST_PARTS: u32 = 2;
/// All of the sample's parts.
const ALL: u32 = 1 << 16;
/// What is left of a score after each period.
const FADING: f64 = 0.9;
/// Who races: whether recency admits, and after how many steps for each entry counts are halved.
/// Long memories are for what stays popular, short ones for what changes.
const RACERS: [(bool, u8); 3] = [(false, 5), (true, 8), (false, 30)];
/// By how many standard deviations another must lead to take over.
const MARGIN: f64 = 0.2;

#[derive(Debug)]
pub(super) struct Tuner {
    /// How many of 65,536 keys are sampled; none before the cache is full.
    sampled: AtomicU32,
    plan: AtomicU64,
    race: Mutex<Race>,
}

#[derive(Debug)]
struct Race {
    racers: [Miniature; RACERS.len()],
    scores: [f64; RACERS.len()],
    leader: usize,
    /// Room in each miniature.
    capacity: usize,
    accesses: usize,
    /// What came of the sampled look-ups in the cache itself.
    hits: u32,
    misses: u32,
}

impl Tuner {
    pub(super) fn new() -> Self {
        let race = Race {
            racers: start(1),
            scores: [0.0; RACERS.len()],
            leader: 0,
            capacity: 0,
            accesses: 0,
            hits: 0,
            misses: 0,
        };
        Self {
            sampled: AtomicU32::new(0),
            plan: AtomicU64::new(race.plan().map_or(0, pack)),
            race: Mutex::new(race),
        }
    }

    #[inline]
    pub(super) fn plan(&self) -> Plan {
        unpack(self.plan.load(Ordering::Relaxed))
    }

    /// Whether a key is in the sample. `part` is 16 bits of its hash.
    #[inline]
    pub(super) fn samples(&self, part: u16) -> bool {
        u32::from(part) < self.sampled.load(Ordering::Relaxed)
    }

    #[inline]
    pub(super) fn is_off(&self) -> bool {
        self.sampled.load(Ordering::Relaxed) == 0
    }

    /// Fits the miniatures to a cache of so many entries.
    pub(super) fn fit(&self, entries: usize) {
        let Ok(mut race) = self.race.try_lock() else {
            return;
        };
        let entries = entries.max(1);
        let sampled = self.sampled.load(Ordering::Relaxed);
        let per_part = f64::from(u32::try_from(entries).unwrap_or(u32::MAX)) / f64::from(ALL);
        let wished = u32::try_from(KEYS * ALL as usize / entries).unwrap_or(ALL);
        let wished = wished.clamp(1, ALL / LEAST_PARTS);
        // The same sample as long as it will do: the miniatures know its keys.
        let sampled = if sampled / 2 <= wished && wished <= sampled.saturating_mul(2) {
            sampled
        } else {
            wished
        };
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a small positive number"
        )]
        let capacity = (per_part * f64::from(sampled)).round() as usize;
        race.capacity = capacity.max(4);
        if self.sampled.swap(sampled, Ordering::Relaxed) != sampled {
            race.racers = start((ALL / sampled) as usize);
        }
    }

    /// Takes a look-up of a sampled key into account, unless another thread is at it. Whether it
    /// is time to [`fit`](Self::fit) again.
    pub(super) fn looked_up(&self, hash: u32, hit: bool) -> bool {
        let Ok(mut race) = self.race.try_lock() else {
            return false;
        };
        let over = race.access(hash, hit);
        if let Some(plan) = race.plan() {
            self.plan.store(pack(plan), Ordering::Relaxed);
        }
        over
    }
}

impl Race {
    /// Whether a period is over.
    fn access(&mut self, hash: u32, hit: bool) -> bool {
        for (racer, score) in self.racers.iter_mut().zip(&mut self.scores) {
            if racer.access(hash, self.capacity) {
                *score += 1.0;
            }
        }
        self.hits += u32::from(hit);
        self.misses += u32::from(!hit);
        self.accesses += 1;
        if self.accesses < self.capacity.max(64) {
            return false;
        }
        self.accesses = 0;
        self.hits /= 2;
        self.misses /= 2;
        self.judge();
        true
    }

    fn judge(&mut self) {
        let score = |at: usize| self.scores.get(at).copied().unwrap_or(0.0);
        let best = (0..RACERS.len()).max_by(|a, b| score(*a).total_cmp(&score(*b)));
        if let Some(best) = best
            && score(best) > score(self.leader) + MARGIN * score(best).sqrt()
        {
            self.leader = best;
        }
        self.scores = self.scores.map(|score| score * FADING);
    }

    fn plan(&self) -> Option<Plan> {
        let hits = u32::from(PARTS) * self.hits / (self.misses + 1);
        let hits = u16::try_from(hits).unwrap_or(u16::MAX);
        self.racers.get(self.leader).map(|leader| leader.plan(hits))
    }
}

fn start(scale: usize) -> [Miniature; RACERS.len()] {
    RACERS.map(|(recency, age)| Miniature::new(recency, age, scale))
}

fn pack(plan: Plan) -> u64 {
    let rule = u64::from(plan.recency) << 8 | u64::from(plan.age);
    rule << 32 | u64::from(plan.window) << 16 | u64::from(plan.hits)
}

fn unpack(packed: u64) -> Plan {
    let part = |shift: u32| u16::try_from(packed >> shift & 0xFFFF).unwrap_or(0);
    let [recency, age] = part(32).to_be_bytes();
    Plan { recency: recency != 0, window: part(16), age, hits: part(0) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_survives_packing() {
        for recency in [false, true] {
            let plan = Plan { recency, window: 52_428, age: 40, hits: 65_535 };
            assert_eq!(unpack(pack(plan)), plan);
        }
    }

    /// What leads after the keys were looked up, all of them sampled.
    fn leads(keys: impl IntoIterator<Item = u32>) -> bool {
        let tuner = Tuner::new();
        assert!(!tuner.samples(0));
        tuner.fit(400);
        assert!(tuner.samples(0) && !tuner.samples(u16::MAX));
        for key in keys {
            tuner.looked_up(key.wrapping_mul(0x9E37_79B9), false);
        }
        tuner.plan().recency
    }

    #[test]
    fn loops_want_frequency_and_change_wants_recency() {
        assert!(!leads((0..100).flat_map(|_| 0..600)));
        assert!(leads((0..100_000_u32).map(|at| at / 30 + at.wrapping_mul(at) % 211)));
    }

    #[test]
    fn a_sample_stays_while_it_will_do() {
        let tuner = Tuner::new();
        tuner.fit(1_000_000);
        let first = tuner.sampled.load(Ordering::Relaxed);
        tuner.fit(1_500_000);
        assert_eq!(tuner.sampled.load(Ordering::Relaxed), first);
        tuner.fit(1000);
        assert!(tuner.sampled.load(Ordering::Relaxed) > 100 * first);
    }
}
