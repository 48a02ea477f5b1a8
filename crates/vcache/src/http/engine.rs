//! The engine that every handle, service and fill of one cache shares: looking up and storing.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::SystemTime;

use http::{HeaderMap, HeaderValue, StatusCode};
use vhttp::{CacheVerdict, Timeline};

use crate::clock::TokioClock;
use crate::http::answer::{Answer, Asker, answer};
use crate::http::clock::WallClock;
use crate::http::collapse::{End, Flight, FlightKey, Flights, News, Turn};
use crate::http::config::{BuildError, Config};
use crate::http::encodings::Encodings;
use crate::http::generation::{Generations, Ticket};
use crate::http::key::Key;
use crate::http::metrics::Meters;
use crate::http::policy::{Decision, Rules, Wish, decide};
use crate::http::query::QueryRules;
use crate::http::ranges::Partial;
use crate::http::refused::{Refusals, Refused, Why};
use crate::http::status::{CACHE_STATUS, Forward, Status};
use crate::http::stored::Stored;
use crate::http::tag_index::TagIndex;
use crate::http::tags::{Tag, TagRules};
use crate::http::terms::Terms;
use crate::http::tiers::Tiers;
use crate::http::variants::Variants;
use crate::memory::Memory;
use crate::random::Random;

/// The shared state of one HTTP cache.
pub(crate) struct Engine {
    pub(crate) config: Config,
    pub(crate) rules: Rules,
    pub(crate) query: QueryRules,
    pub(crate) flights: Arc<Flights>,
    pub(crate) tags: TagRules,
    pub(crate) tagged: TagIndex,
    pub(crate) generations: Generations,
    /// Whether any key has claims beside its URL.
    pub(crate) claimed: AtomicBool,
    /// What is below memory.
    pub(crate) tiers: Option<Tiers>,
    pub(crate) refusals: Refusals,
    store: Memory<Key, Arc<Variants>>,
    clock: WallClock,
    meters: Meters,
    random: Random,
    early: AtomicU64,
    verdicts: [AtomicU64; VERDICTS.len()],
}

/// Every verdict, in the order of its counter.
const VERDICTS: [CacheVerdict; 6] = [
    CacheVerdict::Hit,
    CacheVerdict::Stale,
    CacheVerdict::Revalidated,
    CacheVerdict::Collapsed,
    CacheVerdict::Miss,
    CacheVerdict::Bypass,
];

/// What the store has for a request.
#[derive(Debug, Clone)]
pub(crate) struct Lookup {
    pub(crate) variants: Option<Arc<Variants>>,
    pub(crate) stored: Option<Arc<Stored>>,
    pub(crate) decision: Decision,
    /// Why the origin is asked, if it is.
    pub(crate) why: Forward,
}

impl Engine {
    pub(crate) fn new(config: Config) -> Result<Self, BuildError> {
        config.check()?;
        // Before a file is opened, which takes its time.
        let clock = WallClock::new();
        let store = Memory::builder()
            .max_weight(config.max_size)
            .curve_keys(config.curve_keys)
            .clock(TokioClock::new())
            .weigher(|key: &Key, variants: &Arc<Variants>| weight(key, variants))
            .build()
            .map_err(|_| BuildError::TooSmall(config.max_size))?;
        Ok(Self {
            rules: Rules::from(&config),
            query: QueryRules::new(&config),
            flights: Arc::new(Flights::default()),
            tags: config.tag_rules()?,
            tagged: TagIndex::new(),
            store,
            generations: Generations::new(),
            claimed: AtomicBool::new(false),
            tiers: Tiers::new(&config)?,
            refusals: Refusals::new(),
            clock,
            meters: Meters::new(&config.name),
            random: Random::new(),
            early: AtomicU64::new(0),
            verdicts: Default::default(),
            config,
        })
    }

    pub(crate) fn now(&self) -> SystemTime {
        self.clock.now()
    }

    /// Whether `stored` is what is stored.
    pub(crate) fn still_has(&self, key: &Key, stored: &Arc<Stored>) -> bool {
        let variants = self.store.peek(key.as_str());
        variants.is_some_and(|variants| variants.iter().any(|other| Arc::ptr_eq(other, stored)))
    }

    /// Whether an answer with what `lookup` found has it refreshed behind.
    pub(crate) fn refreshes(&self, lookup: &Lookup, wish: &Wish, now: SystemTime) -> bool {
        let Some(stored) = &lookup.stored else {
            return false;
        };
        match lookup.decision {
            Decision::Stale { refresh } => refresh && stored.hold_off.cause(now).is_none(),
            // Most of a lifetime it is this comparison.
            Decision::Hit => now >= stored.early && self.refreshes_early(stored, wish, now),
            _ => false,
        }
    }

    fn refreshes_early(&self, stored: &Stored, wish: &Wish, now: SystemTime) -> bool {
        !(wish.only_if_cached || wish.no_store)
            && stored.hold_off.cause(now).is_none()
            && stored.ahead.is_due(&stored.terms, now, self.random.unit())
    }

    /// Looks for what fits a request and decides on it.
    pub(crate) fn look_up(
        &self,
        key: &Key,
        request: &HeaderMap,
        wish: &Wish,
        now: SystemTime,
    ) -> Lookup {
        self.trusted(Lookup::of(self.store.get(key.as_str()), request, wish, now), now)
    }

    /// The same once more for a request that has been looked up before; no use of the key.
    pub(crate) fn look_again(
        &self,
        key: &Key,
        request: &HeaderMap,
        wish: &Wish,
        now: SystemTime,
    ) -> Lookup {
        self.trusted(Lookup::of(self.store.peek(key.as_str()), request, wish, now), now)
    }

    /// The same, to be validated if it may have been purged elsewhere without our knowing.
    fn trusted(&self, mut lookup: Lookup, now: SystemTime) -> Lookup {
        let is_used = matches!(lookup.decision, Decision::Hit | Decision::Stale { .. });
        let stored = lookup.stored.as_ref().filter(|_| is_used);
        if stored.is_some_and(|stored| !self.covers(&stored.terms, now)) {
            (lookup.decision, lookup.why) = (Decision::Validate { asked: false }, Forward::Stale);
        }
        lookup
    }

    /// Whether nothing of what may have been purged elsewhere stands against using a response.
    pub(crate) fn covers(&self, terms: &Terms, now: SystemTime) -> bool {
        let tiers = self.tiers.as_ref();
        tiers.is_none_or(|tiers| tiers.cover(terms.freshness().received(), now))
    }

    /// What a fetch after `lookup` is for.
    pub(crate) fn flight_key(&self, key: &Key, lookup: &Lookup, request: &HeaderMap) -> FlightKey {
        let vary = lookup.variants.as_ref().and_then(|variants| variants.ask(request));
        FlightKey { key: key.clone(), vary: vary.unwrap_or_default(), part: None }
    }

    /// Joins the fetch for `flight`, or leads a new one if the request may. A fetch that asked
    /// before a purge is not for who comes after it.
    pub(crate) fn join(&self, flight: FlightKey, may_lead: bool) -> Turn {
        let key = flight.key.clone();
        let is_current = |flight: &Flight| {
            let news = flight.news();
            let tags = match &news {
                News::Shared(filling) => Some(&*filling.preview.tags),
                News::Waiting | News::Over(_) => None,
            };
            self.generations.is_current(flight.ticket(), &key, tags)
        };
        self.flights.join(flight, may_lead, || self.ticket(&key), is_current)
    }

    /// Answers from the store, and says so.
    pub(crate) fn answer(
        &self,
        key: &Key,
        asker: Asker<'_>,
        stored: &Stored,
        status: Status,
    ) -> http::Response<vhttp::Body> {
        let Answer { mut response, grew } = answer(asker, stored, self.now());
        if grew {
            self.reweigh(key);
        }
        let make = || status.value(&self.config.name);
        let value = match status {
            Status::Hit { ttl } => stored.stamp.hit(ttl, make),
            _ => make(),
        };
        self.put_marks(response.headers_mut(), status, value);
        response
    }

    /// Adds our member to `Cache-Status`, after those of caches nearer to the origin.
    pub(crate) fn mark(&self, headers: &mut HeaderMap, status: Status) {
        self.put_marks(headers, status, status.value(&self.config.name));
    }

    fn put_marks(&self, headers: &mut HeaderMap, status: Status, value: Option<HeaderValue>) {
        if self.config.x_cache {
            let verdict = if status.is_hit() { "HIT" } else { "MISS" };
            headers.insert(X_CACHE, HeaderValue::from_static(verdict));
        }
        // The place that a stored head keeps for it.
        let place = headers.get_mut(CACHE_STATUS).filter(|place| place.is_empty());
        match (value.filter(|_| self.config.cache_status), place) {
            (Some(value), Some(place)) => *place = value,
            (None, Some(_)) => drop(headers.remove(CACHE_STATUS)),
            (Some(value), None) => drop(headers.append(CACHE_STATUS, value)),
            (None, None) => {}
        }
    }

    /// Counts a request once it is known what the cache did.
    pub(crate) fn count(&self, verdict: CacheVerdict, timeline: Option<&Timeline>) {
        if let Some(timeline) = timeline {
            timeline.update(|record| record.cache = Some(verdict));
        }
        let place = VERDICTS.iter().position(|v| *v == verdict);
        if let Some(counter) = place.and_then(|at| self.verdicts.get(at)) {
            counter.fetch_add(1, Ordering::Relaxed);
        }
        self.meters.count(verdict);
    }

    /// Counts a refresh ahead of the end of a lifetime.
    pub(crate) fn count_early(&self) {
        self.early.fetch_add(1, Ordering::Relaxed);
        self.meters.refreshed_early();
    }

    /// How many there were.
    pub(crate) fn counted_early(&self) -> u64 {
        self.early.load(Ordering::Relaxed)
    }

    /// How many requests had `verdict`.
    pub(crate) fn counted(&self, verdict: CacheVerdict) -> u64 {
        let place = VERDICTS.iter().position(|v| *v == verdict);
        let counter = place.and_then(|at| self.verdicts.get(at));
        counter.map_or(0, |counter| counter.load(Ordering::Relaxed))
    }

    /// To be told of a key before anything is asked under it.
    pub(crate) fn note_claims(&self, key: &Key) {
        if key.has_claims() && !self.claimed.load(Ordering::Relaxed) {
            self.claimed.store(true, Ordering::SeqCst);
        }
    }

    /// To be taken before the origin is asked; what is stored with it is not older than a purge.
    pub(crate) fn ticket(&self, key: &Key) -> Ticket {
        #[cfg(any(feature = "disk", feature = "redis"))]
        if let Some(tiers) = &self.tiers {
            // First what is known elsewhere: it may be less, and never more.
            let place = tiers.place();
            return self.generations.ticket(key.as_str()).at(place);
        }
        self.generations.ticket(key.as_str())
    }

    /// Stores a variant, and says what that means for those who wait for it.
    pub(crate) fn store(&self, key: &Key, ticket: Ticket, stored: &Arc<Stored>) -> End {
        let max = usize::try_from(self.config.max_variants).unwrap_or(usize::MAX);
        let now = self.now();
        let done = self.change(key, ticket, Some(&stored.tags), |before| {
            Some(before.with(Arc::clone(stored), max, now))
        });
        self.tagged.prune(|key, tag| {
            self.store.peek(key.as_str()).is_some_and(|variants| variants.has_tag(tag))
        });
        if done == Some(true) {
            self.refusals.forget(key);
            if let Some(tiers) = &self.tiers {
                tiers.keep(key, ticket, stored);
            }
        }
        End::of(done)
    }

    /// Stores what a lower tier had, unless there is something newer.
    pub(crate) fn adopt(&self, key: &Key, ticket: Ticket, stored: &Arc<Stored>) {
        let max = usize::try_from(self.config.max_variants).unwrap_or(usize::MAX);
        let now = self.now();
        self.change(key, ticket, Some(&stored.tags), |before| {
            Some(match before.has_newer(stored) {
                true => before.clone(),
                false => before.with(Arc::clone(stored), max, now),
            })
        });
    }

    /// Notes why an answer is not stored, for who asks.
    pub(crate) fn note_refused(
        &self,
        key: &Key,
        why: Why,
        request: Option<&HeaderMap>,
        response: (StatusCode, &HeaderMap),
    ) {
        let at = (key, self.now());
        self.refusals.note(Refused::new(at, why, request, response, &self.rules.targets));
    }

    /// Stores a part of a response with what is there of the same representation, or as the whole
    /// once it is. One that is not of its length is dropped: the place of its bytes is not certain.
    pub(crate) fn store_part(&self, key: &Key, ticket: Ticket, part: Option<Partial>) -> End {
        let Some(mut part) = part else {
            return End::Refused;
        };
        let before = self.store.peek(key.as_str());
        if let Some(before) = before.as_ref().and_then(|before| before.part_of(part.vary())) {
            part = part.join(before, self.config.max_object_size);
        }
        if part.is_whole() {
            return part.into_whole().map_or(End::Refused, |(head, bytes)| {
                let whole = head.with_body(bytes, Arc::new(Encodings::default()));
                self.store(key, ticket, &Arc::new(whole))
            });
        }
        let (max, now) = (usize::try_from(self.config.max_variants), self.now());
        let (max, part) = (max.unwrap_or(usize::MAX), Arc::new(part));
        let done = self.change(key, ticket, Some(part.tags()), |before| {
            Some(before.with_part(Arc::clone(&part), max, now))
        });
        End::of(done)
    }

    /// Takes a variant out that the origin has disowned.
    pub(crate) fn forget(&self, key: &Key, ticket: Ticket, stored: &Arc<Stored>) {
        self.change(key, ticket, Some(&stored.tags), |before| before.without(stored));
        if let Some(tiers) = &self.tiers {
            tiers.forget(key);
        }
    }

    /// Notes that answers for `key` cannot be shared, for a while.
    pub(crate) fn mark_hit_for_miss(&self, key: &Key, ticket: Ticket) {
        let end = self.now().checked_add(self.config.hit_for_miss);
        if let Some(end) = end.filter(|_| !self.config.hit_for_miss.is_zero()) {
            self.change(key, ticket, None, |before| Some(before.marked(end)));
        }
    }

    /// Writes a key of which a stored response has grown to the account.
    fn reweigh(&self, key: &Key) {
        self.change(key, self.ticket(key), None, |before| Some(before.clone()));
    }

    /// Replaces what is under `key`, alone among all changes of it; whether something is stored,
    /// and `None` when the ticket is void for a response with `tags`. `None` from `make` removes
    /// the key.
    fn change(
        &self,
        key: &Key,
        ticket: Ticket,
        tags: Option<&[Tag]>,
        make: impl FnOnce(&Variants) -> Option<Variants>,
    ) -> Option<bool> {
        let change = || {
            let before = self.store.peek(key.as_str()).unwrap_or_default();
            let is_stored = self.put(key, make(&before));
            // In the same turn: a purge finds both or neither.
            if let Some(tags) = tags.filter(|_| is_stored) {
                self.tagged.add(key, tags);
            }
            is_stored
        };
        self.generations.in_turn(ticket, key, tags, change)
    }

    /// Puts variants under a key, or removes it; whether they are stored. Only in the key's turn.
    pub(crate) fn put(&self, key: &Key, variants: Option<Variants>) -> bool {
        let Some(variants) = variants else {
            self.store.remove(key.as_str());
            return false;
        };
        let ttl = variants.retention(self.now());
        self.store.insert_with_ttl(key.clone(), Arc::new(variants), ttl)
    }

    pub(crate) const fn meters(&self) -> &Meters {
        &self.meters
    }

    pub(crate) fn memory(&self) -> &Memory<Key, Arc<Variants>> {
        &self.store
    }
}

const X_CACHE: http::HeaderName = http::HeaderName::from_static("x-cache");

fn weight(key: &Key, variants: &Variants) -> u64 {
    let bytes = key.as_str().len().saturating_add(variants.weight());
    u64::try_from(bytes).unwrap_or(u64::MAX)
}

/// The answer to a request that forbids to ask the origin and has nothing stored (RFC 9111
/// §5.2.1.7).
pub(crate) fn gateway_timeout(engine: &Engine) -> http::Response<vhttp::Body> {
    let reject = vhttp::Reject::new(StatusCode::GATEWAY_TIMEOUT, "only-if-cached");
    let mut response = reject.into_response();
    engine.mark(response.headers_mut(), Status::Detail("only-if-cached"));
    response
}

impl Lookup {
    /// Decides on a request with what is under its key.
    pub(crate) fn of(
        variants: Option<Arc<Variants>>,
        request: &HeaderMap,
        wish: &Wish,
        now: SystemTime,
    ) -> Self {
        let stored = variants.as_ref().and_then(|v| v.select(request, now));
        let decision = decide(wish, stored.as_ref().map(|s| &s.terms), now);
        let several = variants.as_ref().is_some_and(|v| v.len() > 0);
        let has_part = variants.as_ref().is_some_and(|v| v.part(request).is_some());
        let why = match decision {
            // Stale it is, whatever the request wants (RFC 9211 §2.2).
            Decision::Validate { .. } if stored.as_ref().is_none_or(|s| !s.terms.is_fresh(now)) => {
                Forward::Stale
            }
            Decision::Miss if stored.is_none() && has_part => Forward::Partial,
            Decision::Miss if stored.is_none() && several => Forward::VaryMiss,
            Decision::Miss if stored.is_none() => Forward::UriMiss,
            _ => Forward::Request,
        };
        Self {
            variants,
            // What is not for this request must not be validated for it either.
            stored: stored.filter(|_| decision != Decision::Miss),
            decision,
            why,
        }
    }

    /// Our member of `Cache-Status` for an answer from the store.
    pub(crate) fn hit(&self, now: SystemTime) -> Option<(Arc<Stored>, Status, CacheVerdict)> {
        let verdict = match self.decision {
            Decision::Hit => CacheVerdict::Hit,
            Decision::Stale { .. } => CacheVerdict::Stale,
            _ => return None,
        };
        let stored = Arc::clone(self.stored.as_ref()?);
        let ttl = stored.terms.freshness().ttl(now);
        Some((stored, Status::Hit { ttl }, verdict))
    }
}
