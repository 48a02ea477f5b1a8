//! Both policies against a naive window and a naive clock, entry by entry.

use std::collections::HashMap;

use proptest::collection::vec;
use proptest::prelude::*;

use super::{LEAST_REMEMBERED, MOST_SPARED, Meta, Place, Plan, Policy, Seats};

/// Keys; each has a line of the history to itself, so that what is remembered is exact.
const KEYS: u32 = 60;
/// Entries that the caches hold.
const ROOM: usize = 24;

const fn hash(key: u32) -> u32 {
    key << 26 | key
}

/// The slots of the real policy.
#[derive(Default)]
struct Slots(Vec<Option<Meta>>);

impl Seats for Slots {
    fn seat(&mut self, at: u32) -> Option<&mut Meta> {
        self.0.get_mut(at as usize)?.as_mut()
    }

    fn peek(&self, at: u32) -> Option<&Meta> {
        self.0.get(at as usize)?.as_ref()
    }

    fn fetch(&self, _: u32) {}

    fn end(&self) -> u32 {
        let used = self.0.iter().rposition(Option::is_some);
        used.map_or(0, |last| u32::try_from(last + 1).unwrap())
    }

    fn len(&self) -> usize {
        self.0.iter().flatten().count()
    }
}

/// An entry of the model.
#[derive(Debug, Clone)]
struct Seated {
    key: u32,
    place: Place,
    uses: u8,
    met: u8,
    epoch: u8,
    /// Its place in the window's order.
    since: u64,
}

impl Seated {
    fn met_at(&self, epoch: u8) -> u8 {
        let ages = u32::from(epoch.wrapping_sub(self.epoch));
        let new = self.met.min(self.uses);
        if ages == 0 { self.met } else { (self.met - new + 1).checked_shr(ages).unwrap_or(0) + new }
    }

    fn bring_down(&mut self, epoch: u8) -> u8 {
        (self.met, self.epoch) = (self.met_at(epoch), epoch);
        self.met
    }
}

/// What the model remembers of keys that are gone or here.
#[derive(Default)]
struct Remembered {
    counts: HashMap<u32, u8>,
    entries: u64,
    steps: u64,
    epoch: u8,
}

/// The policies as one would say them, with nothing kept that could be looked up.
#[derive(Default)]
struct Model {
    slots: Vec<Option<Seated>>,
    hand: usize,
    memory: Option<Remembered>,
    sized: usize,
    moves: u64,
}

impl Model {
    fn epoch(&self) -> u8 {
        self.memory.as_ref().map_or(0, |memory| memory.epoch)
    }

    fn at(&mut self, at: usize) -> &mut Seated {
        self.slots[at].as_mut().unwrap()
    }

    fn find(&self, key: u32) -> Option<usize> {
        self.slots.iter().position(|seat| seat.as_ref().is_some_and(|seat| seat.key == key))
    }

    fn count(&self, place: Place) -> usize {
        self.slots.iter().flatten().filter(|seat| seat.place == place).count()
    }

    fn end(&self) -> usize {
        self.slots.iter().rposition(Option::is_some).map_or(0, |last| last + 1)
    }

    fn next_move(&mut self) -> u64 {
        self.moves += 1;
        self.moves
    }

    fn arrive(&mut self, key: u32, plan: Plan) -> Seated {
        let since = self.next_move();
        let new = |met, place, epoch| Seated { key, place, uses: 0, met, epoch, since };
        let Some(memory) = &mut self.memory else {
            return new(1, Place::Main, 0);
        };
        let count = memory.counts.entry(key).or_default();
        *count = (*count + 1).min(15);
        let met = *count;
        memory.steps += 16 + u64::from(plan.hits);
        if memory.steps >= memory.entries * 16 * u64::from(plan.age) {
            (memory.steps, memory.epoch) = (0, memory.epoch + 1);
            memory.counts.values_mut().for_each(|count| *count /= 2);
        }
        let returns = plan.recency && met > 1;
        new(met, if returns { Place::Main } else { Place::Window }, memory.epoch)
    }

    fn victim(&mut self, plan: Plan) -> Option<usize> {
        let len = self.count(Place::Window) + self.count(Place::Main);
        if len == 0 {
            return None;
        }
        if self.memory.is_none() || len > self.sized + self.sized / 2 {
            let entries = u64::try_from(len.max(LEAST_REMEMBERED)).unwrap();
            self.sized = len;
            self.memory = Some(Remembered { entries, ..Remembered::default() });
        }
        let target = (len * usize::from(plan.window) / 65_536).max(1);
        for spared in 1.. {
            if self.count(Place::Window) < target
                && let Some(at) = self.settled()
            {
                return Some(at);
            }
            let Some(at) = self.oldest() else {
                return self.settled();
            };
            if self.at(at).uses == 0 || spared > MOST_SPARED {
                return if plan.recency { Some(at) } else { Some(self.duel(at)) };
            }
            let moved = self.next_move();
            let seat = self.at(at);
            if plan.recency {
                (seat.place, seat.uses) = (Place::Main, 0);
            } else {
                (seat.since, seat.uses) = (moved, seat.uses - 1);
            }
        }
        None
    }

    /// Who has stood in the window for the longest.
    fn oldest(&self) -> Option<usize> {
        let seats = self.slots.iter().enumerate();
        let window = seats.filter_map(|(at, seat)| Some((at, seat.as_ref()?)));
        let window = window.filter(|(_, seat)| seat.place == Place::Window);
        window.min_by_key(|(_, seat)| seat.since).map(|(at, _)| at)
    }

    fn duel(&mut self, newcomer: usize) -> usize {
        let Some(incumbent) = self.settled() else {
            return newcomer;
        };
        if self.rank(newcomer) <= self.rank(incumbent) {
            return newcomer;
        }
        self.at(newcomer).place = Place::Main;
        incumbent
    }

    fn rank(&mut self, at: usize) -> u8 {
        let epoch = self.epoch();
        let key = self.at(at).key;
        let remembered = self.memory.as_ref().and_then(|memory| memory.counts.get(&key).copied());
        self.at(at).bring_down(epoch).max(remembered.unwrap_or(0))
    }

    /// The clock: who is settled, and was not used since the hand last came by.
    fn settled(&mut self) -> Option<usize> {
        let (epoch, end, mut spared, mut last) = (self.epoch(), self.end(), 0, None);
        for _ in 0..4 * end {
            let mut at = self.hand;
            let pinned = |at: usize| {
                let seat = self.slots.get(at).and_then(Option::as_ref);
                seat.is_some_and(|seat| seat.place == Place::Pinned)
            };
            while pinned(at) {
                at += 1;
            }
            self.hand = if at + 1 < end { at + 1 } else { 0 };
            let seat = self.slots.get_mut(at).and_then(Option::as_mut);
            let Some(seat) = seat.filter(|seat| seat.place == Place::Main) else {
                continue;
            };
            if seat.uses == 0 || spared == MOST_SPARED {
                return Some(at);
            }
            seat.bring_down(epoch);
            seat.uses -= 1;
            spared += 1;
            last = Some(at);
        }
        last
    }

    fn evict(&mut self, at: usize) {
        let gone = self.slots[at].take().unwrap();
        let met = gone.met_at(self.epoch());
        let remembered = self.memory.as_mut().unwrap().counts.entry(gone.key).or_default();
        *remembered = met.min(15).max(*remembered);
    }
}

#[derive(Debug, Clone, Copy)]
enum Step {
    /// A key is asked for: a hit, or an arrival in the place of a victim.
    Ask(u32),
    Remove(u32),
    Pin(u32, bool),
    Go(Plan),
}

fn plans() -> impl Strategy<Value = Plan> {
    let hits = prop_oneof![4 => 0_u16..64, 1 => 2000_u16..9000];
    (any::<bool>(), 0_u16..40_000, 1_u8..4, hits).prop_map(|(recency, window, age, hits)| Plan {
        recency,
        window,
        age,
        hits,
    })
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let key = || prop_oneof![3 => 0..KEYS / 4, 2 => 0..KEYS];
    let step = prop_oneof![
        40 => key().prop_map(Step::Ask),
        3 => key().prop_map(Step::Remove),
        3 => (key(), any::<bool>()).prop_map(|(key, pinned)| Step::Pin(key, pinned)),
        1 => plans().prop_map(Step::Go),
    ];
    // A turn is a byte: fewer arrivals than it can tell apart.
    vec(step, 1..250)
}

/// The real policy and the model, side by side.
#[derive(Default)]
struct Both {
    policy: Policy,
    slots: Slots,
    model: Model,
}

impl Both {
    fn ask(&mut self, key: u32, plan: Plan) -> Result<(), TestCaseError> {
        if let Some(at) = self.model.find(key) {
            self.slots.0[at].as_ref().unwrap().touch();
            let seat = self.model.at(at);
            (seat.uses, seat.met) = ((seat.uses + 1).min(3), (seat.met + 1).min(15));
            return Ok(());
        }
        if self.slots.len() == ROOM {
            let victim = self.policy.victim(&mut self.slots, plan);
            let expected = self.model.victim(plan);
            prop_assert_eq!(victim.map(|at| at as usize), expected);
            let Some(at) = expected else {
                return Ok(());
            };
            let gone = self.slots.0[at].take().unwrap();
            self.policy.evicted(&gone);
            self.model.evict(at);
        }
        let free = self.slots.0.iter().position(Option::is_none);
        let at = free.unwrap_or_else(|| {
            self.slots.0.push(None);
            self.model.slots.push(None);
            self.slots.0.len() - 1
        });
        self.slots.0[at] = Some(self.policy.arrive(hash(key), plan));
        self.policy.seated(u32::try_from(at).unwrap(), &mut self.slots);
        self.model.slots[at] = Some(self.model.arrive(key, plan));
        Ok(())
    }

    fn remove(&mut self, at: usize) {
        let gone = self.slots.0[at].take().unwrap();
        if gone.is_pinned() {
            self.policy.mark(u32::try_from(at).unwrap(), false);
        }
        self.policy.removed(&gone);
        self.model.slots[at] = None;
    }

    fn pin(&mut self, at: usize, pinned: bool) {
        self.policy.set_pinned(u32::try_from(at).unwrap(), pinned, &mut self.slots);
        let seat = self.model.at(at);
        match (seat.place == Place::Pinned, pinned) {
            (false, true) => seat.place = Place::Pinned,
            (true, false) => seat.place = Place::Main,
            _ => {}
        }
    }

    fn agree(&mut self) -> Result<(), TestCaseError> {
        for (real, model) in self.slots.0.iter_mut().zip(&self.model.slots) {
            let real = real.as_mut().map(|meta| (meta.hash, meta.place, meta.uses()));
            let model = model.as_ref().map(|seat| (hash(seat.key), seat.place, seat.uses));
            prop_assert_eq!(real, model);
        }
        prop_assert_eq!(self.policy.window, self.model.count(Place::Window));
        prop_assert_eq!(self.policy.pinned(), self.model.count(Place::Pinned));
        prop_assert!(self.policy.ring.len() <= 2 * self.policy.window + 65);
        Ok(())
    }
}

fn run(mut plan: Plan, steps: Vec<Step>) -> Result<(), TestCaseError> {
    let mut both = Both::default();
    for step in steps {
        match step {
            Step::Ask(key) => both.ask(key, plan)?,
            Step::Remove(key) => both.model.find(key).into_iter().for_each(|at| both.remove(at)),
            Step::Pin(key, pinned) => {
                both.model.find(key).into_iter().for_each(|at| both.pin(at, pinned));
            }
            Step::Go(other) => plan = other,
        }
        both.agree()?;
    }
    Ok(())
}

proptest! {
    #[test]
    fn by_frequency_the_victims_are_the_models(plan in plans(), steps in steps()) {
        run(Plan { recency: false, ..plan }, steps)?;
    }

    #[test]
    fn by_recency_the_victims_are_the_models(plan in plans(), steps in steps()) {
        run(Plan { recency: true, ..plan }, steps)?;
    }
}
