//! The purges that responses in lower tiers may have missed, and what they mean for one of them.

use std::collections::HashMap;
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;

use crate::http::key::Key;
use crate::http::purge::Pattern;
use crate::http::reading::{Reading, Writing};
use crate::http::record::Place;
use crate::http::tags::Tag;

/// Patterns remembered. When one is forgotten, everything older than its purge is doubted.
pub(super) const MOST: usize = 16_384;
/// Purges that wait to be told; above it, everything is purged when they can be.
const MOST_PENDING: usize = 1024;

/// What is known of the purges.
///
/// Each purge has a number, larger than all before, which is also its time in milliseconds since
/// 1970. A response is stored with the last number that was known when the origin was asked for
/// it: what was purged after that concerns it, on whichever tier it lies and whoever put it there.
#[derive(Debug, Default)]
pub(super) struct Journal(RwLock<State>);

#[derive(Debug, Default)]
struct State {
    /// Where it is known up to; the journal is zero until one was read.
    known: Place,
    /// Purges before it are forgotten.
    floor: u64,
    patterns: HashMap<Pattern, Numbers>,
    /// Those of `patterns` that no look-up finds.
    prefixes: Vec<Key>,
    /// Done here, and not told yet.
    pending: Vec<Record>,
}

/// The last purges of a pattern; zero for none.
#[derive(Debug, Clone, Copy, Default)]
struct Numbers {
    soft: u64,
    hard: u64,
}

/// A purge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Record {
    pub(super) pattern: Pattern,
    pub(super) hard: bool,
    pub(super) number: u64,
}

/// What the journal says about a stored response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It was not purged.
    Holds,
    /// It was marked stale.
    Stale(SystemTime),
    Gone,
    /// Nobody knows.
    Doubtful,
}

impl Journal {
    /// Up to where it is known.
    pub(super) fn place(&self) -> Place {
        self.read().known
    }

    /// Begins with another journal, of which nothing is known yet.
    pub(super) fn begin(&self, journal: u64) {
        let mut state = self.write();
        *state = State {
            known: Place { journal, number: 0 },
            pending: std::mem::take(&mut state.pending),
            ..State::default()
        };
    }

    /// Notes a purge; what is known up to moves with [`know`](Self::know) alone.
    pub(super) fn add(&self, record: &Record) {
        let mut state = self.write();
        if let Pattern::Prefix(prefix) = &record.pattern
            && !state.patterns.contains_key(&record.pattern)
        {
            state.prefixes.push(prefix.clone());
        }
        let numbers = state.patterns.entry(record.pattern.clone()).or_default();
        let last = if record.hard { &mut numbers.hard } else { &mut numbers.soft };
        *last = record.number.max(*last);
        if state.patterns.len() > MOST {
            state.forget_half();
        }
    }

    /// All purges up to `number` are here, of those after `floor`.
    pub(super) fn know(&self, number: u64, floor: u64) {
        let mut state = self.write();
        state.known.number = number.max(state.known.number);
        state.floor = floor.max(state.floor);
    }

    /// Notes a purge that is done here and cannot be told now.
    pub(super) fn defer(&self, pattern: Pattern, hard: bool) {
        let mut state = self.write();
        let is_there = state.pending.iter().any(|r| r.pattern == pattern && r.hard == hard);
        if is_there {
            return;
        }
        if state.pending.len() >= MOST_PENDING {
            let hard = hard || state.pending.iter().any(|record| record.hard);
            state.pending = vec![Record { pattern: Pattern::Everything, hard, number: 0 }];
            return;
        }
        state.pending.push(Record { pattern, hard, number: 0 });
    }

    /// The purges that wait to be told.
    pub(super) fn pending(&self) -> Vec<Record> {
        self.read().pending.clone()
    }

    /// One of them was told.
    pub(super) fn told(&self, record: &Record) {
        self.write().pending.retain(|pending| pending != record);
    }

    /// What has become of a response that was asked for at `place`.
    pub(super) fn judge(&self, place: Place, key: &Key, tags: &[Tag]) -> Verdict {
        let state = self.read();
        let known = state.known.journal;
        if known == 0 || place.journal != known || place.number < state.floor {
            return Verdict::Doubtful;
        }
        let mut last = state.last(key, tags);
        for record in &state.pending {
            if record.pattern.matches(key, Some(tags)) {
                let now = Record::number_at(SystemTime::now()).max(place.number + 1);
                let number = if record.hard { &mut last.hard } else { &mut last.soft };
                *number = now;
            }
        }
        match (last.hard > place.number, last.soft > place.number) {
            (true, _) => Verdict::Gone,
            (false, true) => Verdict::Stale(time(last.soft)),
            (false, false) => Verdict::Holds,
        }
    }

    /// The whole journal as bytes, for the one who keeps it in a file.
    pub(super) fn to_bytes(&self) -> Bytes {
        let state = self.read();
        let mut out = Writing::with_capacity(64 * state.patterns.len() + 64);
        out.u64(state.known.journal);
        out.u64(state.known.number);
        out.u64(state.floor);
        for (pattern, numbers) in &state.patterns {
            for (hard, number) in [(false, numbers.soft), (true, numbers.hard)] {
                if number > 0 {
                    out.long(&member(pattern, hard));
                    out.u64(number);
                }
            }
        }
        out.into_bytes().into()
    }

    /// Takes over what was written; whether it could be read.
    pub(super) fn restore(&self, bytes: Bytes) -> bool {
        let Some((known, floor, records)) = restored(bytes) else {
            return false;
        };
        self.begin(known.journal);
        records.iter().for_each(|record| self.add(record));
        self.know(known.number, floor);
        true
    }

    fn read(&self) -> RwLockReadGuard<'_, State> {
        // Nothing in the critical sections panics.
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, State> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }
}

fn restored(bytes: Bytes) -> Option<(Place, u64, Vec<Record>)> {
    let mut reading = Reading::new(bytes);
    let known = Place { journal: reading.u64()?, number: reading.u64()? };
    let floor = reading.u64()?;
    let mut records = Vec::new();
    while !reading.rest().is_empty() {
        let member = reading.long()?;
        records.push(Record::read(&member, reading.u64()?));
    }
    (known.journal > 0).then_some((known, floor, records))
}

impl State {
    /// The last purges that mean a response.
    fn last(&self, key: &Key, tags: &[Tag]) -> Numbers {
        let mut all = Numbers::default();
        if self.patterns.is_empty() {
            return all;
        }
        let host = Pattern::host_of(key);
        let names = [Pattern::Key(key.plain()), Pattern::Everything].into_iter().chain(host);
        let tags = tags.iter().cloned().map(Pattern::Tag);
        let prefixes = self.prefixes.iter().filter(|p| key.as_str().starts_with(p.as_str()));
        for pattern in names.chain(tags).chain(prefixes.cloned().map(Pattern::Prefix)) {
            if let Some(numbers) = self.patterns.get(&pattern) {
                all.soft = all.soft.max(numbers.soft);
                all.hard = all.hard.max(numbers.hard);
            }
        }
        all
    }

    /// Forgets the older half.
    fn forget_half(&mut self) {
        let mut numbers: Vec<u64> = self.patterns.values().map(|n| n.soft.max(n.hard)).collect();
        let half = numbers.len() / 2;
        let (_, middle, _) = numbers.select_nth_unstable(half);
        let middle = *middle;
        self.floor = self.floor.max(middle);
        self.patterns.retain(|_, numbers| numbers.soft.max(numbers.hard) > middle);
        let patterns = &self.patterns;
        self.prefixes.retain(|prefix| patterns.contains_key(&Pattern::Prefix(prefix.clone())));
    }
}

impl Record {
    /// A purge as others have written it. What cannot be read means everything: a newer version
    /// may purge by what this one does not know.
    pub(super) fn read(member: &[u8], number: u64) -> Self {
        let known = Pattern::read(member.get(1..).unwrap_or_default());
        match (member.first(), known) {
            (Some(b's'), Some(pattern)) => Self { pattern, hard: false, number },
            (Some(b'h'), Some(pattern)) => Self { pattern, hard: true, number },
            _ => Self { pattern: Pattern::Everything, hard: true, number },
        }
    }

    /// The number of a purge that happens then.
    pub(super) fn number_at(time: SystemTime) -> u64 {
        let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
        u64::try_from(since.as_millis()).unwrap_or(0)
    }

    /// When it happened.
    #[cfg(feature = "redis")]
    pub(super) fn time(&self) -> SystemTime {
        time(self.number)
    }
}

/// A purge without its number, as it is written.
pub(super) fn member(pattern: &Pattern, hard: bool) -> Vec<u8> {
    let mut bytes = vec![if hard { b'h' } else { b's' }];
    pattern.write(&mut bytes);
    bytes
}

fn time(number: u64) -> SystemTime {
    UNIX_EPOCH.checked_add(Duration::from_millis(number)).unwrap_or(UNIX_EPOCH)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::http::purge::Purge;

    const HERE: Place = Place { journal: 7, number: 10 };

    fn journal() -> Journal {
        let journal = Journal::default();
        journal.begin(7);
        journal.know(10, 0);
        journal
    }

    fn record(purge: &Purge, number: u64) -> Record {
        Record { pattern: purge.pattern().unwrap(), hard: purge.is_hard(), number }
    }

    #[test]
    fn a_purge_concerns_what_was_asked_for_before_it() {
        let (key, tag) = (Key::of_url("http://a:81/b/c").unwrap(), Tag::named("t").unwrap());
        let meant = [
            Purge::url("http://a:81/b/c"),
            Purge::prefix("http://a:81/b"),
            Purge::tag("t"),
            Purge::host("a"),
            Purge::host("a:81"),
            Purge::everything(),
        ];
        for purge in meant {
            let (soft, hard) = (record(&purge, 11), record(&purge.clone().hard(), 12));
            let journal = journal();
            journal.add(&soft);
            let judge = |number| {
                let place = Place { number, ..HERE };
                journal.judge(place, &key, std::slice::from_ref(&tag))
            };
            assert_eq!(judge(10), Verdict::Stale(time(11)), "{purge:?}");
            assert_eq!(judge(11), Verdict::Holds);
            journal.add(&hard);
            assert_eq!((judge(11), judge(12)), (Verdict::Gone, Verdict::Holds));
        }
        let others = [Purge::url("http://a/"), Purge::prefix("http://a:81/c"), Purge::tag("u")];
        for purge in others.into_iter().chain([Purge::host("b"), Purge::host("a:80")]) {
            let journal = journal();
            journal.add(&record(&purge.hard(), 11));
            assert_eq!(journal.judge(HERE, &key, std::slice::from_ref(&tag)), Verdict::Holds);
        }
    }

    #[test]
    fn what_is_not_known_is_doubted() {
        let (journal, key) = (journal(), Key::of_url("http://a/").unwrap());
        assert_eq!(journal.judge(HERE, &key, &[]), Verdict::Holds);
        assert_eq!(journal.judge(Place { journal: 8, ..HERE }, &key, &[]), Verdict::Doubtful);
        journal.know(20, 11);
        assert_eq!(journal.judge(HERE, &key, &[]), Verdict::Doubtful);
        assert_eq!(Journal::default().judge(Place::default(), &key, &[]), Verdict::Doubtful);
    }

    #[test]
    fn what_could_not_be_told_counts_here_until_it_was() {
        let (journal, key) = (journal(), Key::of_url("http://a/").unwrap());
        journal.defer(Pattern::Key(key.clone()), true);
        assert_eq!(journal.judge(HERE, &key, &[]), Verdict::Gone);
        let pending = journal.pending();
        assert_eq!(pending.len(), 1);
        journal.told(&pending[0]);
        assert_eq!(journal.judge(HERE, &key, &[]), Verdict::Holds);
        for n in 0..=MOST_PENDING {
            journal.defer(Pattern::Key(Key::of_url(&format!("http://b/{n}")).unwrap()), false);
        }
        assert!(matches!(journal.judge(HERE, &key, &[]), Verdict::Stale(_)));
        assert_eq!(journal.pending().len(), 1);
    }

    #[test]
    fn a_bounded_number_is_remembered_and_the_rest_doubted() {
        let (journal, key) = (journal(), Key::of_url("http://a/").unwrap());
        for n in 0..=MOST {
            let pattern = Pattern::Tag(Tag::named(&n.to_string()).unwrap());
            let number = 11 + u64::try_from(n).unwrap();
            journal.add(&Record { pattern, hard: true, number });
            journal.know(number, 0);
        }
        assert!(journal.read().patterns.len() <= MOST);
        assert_eq!(journal.judge(HERE, &key, &[]), Verdict::Doubtful);
        assert_eq!(journal.judge(journal.place(), &key, &[]), Verdict::Holds);
        let tags = [Tag::named("5").unwrap()];
        assert_eq!(journal.judge(Place { number: 12, ..HERE }, &key, &tags), Verdict::Doubtful);
    }

    proptest! {
        #[test]
        fn what_was_written_is_read(host in "[a-z]{1,9}", port: Option<u16>, hard: bool, soft: u32) {
            let host = port.map_or_else(|| host.clone(), |port| format!("{host}:{port}"));
            let tag = Purge::tag(host.clone());
            let url = format!("http://{host}/x");
            let journal = journal();
            let purges = [Purge::host(host), tag, Purge::url(&*url), Purge::prefix(url)];
            for purge in purges.into_iter().chain([Purge::everything()]) {
                let record = Record { hard, ..record(&purge, u64::from(soft)) };
                let read = Record::read(&member(&record.pattern, hard), record.number);
                prop_assert_eq!(&read, &record);
                journal.add(&record);
            }
            let again = Journal::default();
            prop_assert!(again.restore(journal.to_bytes()));
            prop_assert_eq!(again.place(), journal.place());
            prop_assert_eq!(again.to_bytes().len(), journal.to_bytes().len());
        }

        #[test]
        fn any_bytes_are_read_or_refused(bytes: Vec<u8>) {
            let _ = Record::read(&bytes, 1);
            let _ = Journal::default().restore(bytes.into());
        }
    }
}
