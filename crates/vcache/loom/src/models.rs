//! The models.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a model that fails ends the program, and says its name before"
)]

use loom::cell::UnsafeCell;
use loom::sync::Arc;
use loom::thread;

use crate::account::Account;
use crate::gate::Gate;
use crate::lock::Lock;
use crate::stripes::Stripes;
use crate::sync::{AtomicBool, AtomicU64, Mutex, Ordering};
use crate::tags::Tags;

/// A number of which loom notices when it is read and written at once.
#[derive(Default)]
struct Number(UnsafeCell<u64>);

impl Number {
    fn new() -> Self {
        Self(UnsafeCell::new(0))
    }

    fn read(&self) -> u64 {
        // SAFETY: the lock is held; if that did not exclude writers, loom would say so.
        #[expect(unsafe_code, reason = "the access that loom watches")]
        self.0.with(|number| unsafe { *number })
    }

    #[expect(clippy::needless_pass_by_ref_mut, reason = "what a writer may do and no reader")]
    fn add(&mut self) {
        // SAFETY: as above, for readers and writers.
        #[expect(unsafe_code, reason = "the access that loom watches")]
        self.0.with_mut(|number| unsafe { *number += 1 });
    }
}

fn lock() -> Arc<Lock<Number>> {
    lock_of(&Stripes::of(3))
}

fn lock_of(stripes: &Stripes) -> Arc<Lock<Number>> {
    Arc::new(Lock::new(Number::new(), stripes.clone()))
}

/// Every model by its name.
const MODELS: [(&str, fn()); 11] = [
    ("writers exclude each other", writers_exclude_each_other),
    ("readers see whole writes and count their hits", readers_see_whole_writes),
    ("a write ends the quiet", a_write_ends_the_quiet),
    ("one who tries ends the quiet or goes", one_who_tries_ends_the_quiet),
    ("one who tries never waits", one_who_tries_never_waits),
    ("everybody who sleeps is woken", everybody_who_sleeps_is_woken),
    ("reservations never pass the bound", reservations_never_pass_the_bound),
    ("a lowered bound holds at that moment", a_lowered_bound_holds),
    ("what a load found before it was forgotten does not stay", a_forgotten_load_does_not_stay),
    ("the gate admits no more than it may", the_gate_keeps_its_bound),
    ("what was invalidated is not served", what_was_invalidated_is_not_served),
];

/// Runs all of them; a fault is a panic.
pub(crate) fn run() {
    for (name, model) in MODELS {
        println!("{name}");
        model();
    }
}

/// Runs the model under a bound on preemptions that is known to find nearly all faults
/// (Musuvathi, Qadeer: "Iterative Context Bounding", PLDI 2007).
fn model(run: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(2);
    builder.check(run);
}

fn writers_exclude_each_other() {
    model(|| {
        let lock = lock();
        let other = Arc::clone(&lock);
        let writer = thread::spawn(move || other.write().add());
        lock.write().add();
        writer.join().unwrap();
        assert_eq!(lock.read().read(), 2);
    });
}

fn readers_see_whole_writes() {
    model(|| {
        let stripes = Stripes::of(3);
        let lock = lock_of(&stripes);
        let (first, second) = (Arc::clone(&lock), Arc::clone(&lock));
        let writer = thread::spawn(move || first.write().add());
        let reader = thread::spawn(move || {
            let reading = second.read();
            reading.hit();
            assert!(reading.read() <= 1);
        });
        assert!(lock.read().read() <= 1);
        writer.join().unwrap();
        reader.join().unwrap();
        let written = lock.read().read();
        assert_eq!((written, lock.hits() + stripes.hits()), (1, 1));
    });
}

/// A lock in which readers announce themselves.
fn quiet() -> Arc<Lock<Number>> {
    let lock = lock();
    for _ in 0..4 {
        lock.read().hit();
    }
    assert!(lock.is_quiet());
    lock
}

fn a_write_ends_the_quiet() {
    model(|| {
        let lock = quiet();
        let other = Arc::clone(&lock);
        let reader = thread::spawn(move || {
            assert!(other.read().read() <= 1);
            other.read().read()
        });
        lock.write().add();
        assert!(reader.join().unwrap() <= 1);
        assert_eq!(lock.read().read(), 1);
    });
}

fn one_who_tries_ends_the_quiet() {
    model(|| {
        let lock = quiet();
        let other = Arc::clone(&lock);
        let reader = thread::spawn(move || {
            let reading = other.read();
            reading.hit();
            reading.read()
        });
        let added = u64::from(lock.try_write().map(|mut number| number.add()).is_some());
        assert!(reader.join().unwrap() <= added);
        assert_eq!(lock.read().read(), added);
    });
}

fn one_who_tries_never_waits() {
    model(|| {
        let lock = lock();
        let other = Arc::clone(&lock);
        let writer = thread::spawn(move || {
            let entered = other.try_write().map(|mut number| number.add());
            u64::from(entered.is_some())
        });
        let mut added = u64::from(lock.try_write().map(|mut number| number.add()).is_some());
        assert!(lock.read().read() <= 2);
        added += writer.join().unwrap();
        assert_eq!(lock.read().read(), added);
    });
}

fn everybody_who_sleeps_is_woken() {
    // A sleeper that nobody wakes is a deadlock, which loom finds.
    model(|| {
        let lock = lock();
        let others: Vec<_> = (0..2)
            .map(|_| {
                let lock = Arc::clone(&lock);
                thread::spawn(move || lock.write().add())
            })
            .collect();
        lock.write().add();
        for other in others {
            other.join().unwrap();
        }
        assert_eq!(lock.read().read(), 3);
    });
}

fn reservations_never_pass_the_bound() {
    model(|| {
        let account = Arc::new(Account::new(2));
        let others: Vec<_> = (0..2)
            .map(|_| {
                let account = Arc::clone(&account);
                thread::spawn(move || {
                    let kept = account.reserve(2);
                    assert!(account.used() <= 2);
                    if kept {
                        account.release(2);
                    }
                    kept
                })
            })
            .collect();
        let _ = others.into_iter().map(|other| other.join().unwrap()).collect::<Vec<_>>();
        assert_eq!(account.used(), 0);
    });
}

fn a_lowered_bound_holds() {
    model(|| {
        let account = Arc::new(Account::new(4));
        let other = Arc::clone(&account);
        let reserving = thread::spawn(move || other.reserve(3));
        account.set_bound(2);
        // What `resize` makes room for is what it sees here.
        let seen = account.settled();
        let kept = reserving.join().unwrap();
        // Kept though the new bound forbids it: then it was seen, and others must leave for it.
        assert!(!kept || seen == 3);
        assert_eq!(account.used(), if kept { 3 } else { 0 });
    });
}

/// The parts of a cache that a load and a removal of the same key meet at.
struct Loading {
    /// The source, which promises no order to anybody.
    source: AtomicU64,
    gate: Gate,
    /// The load under way, by its ticket.
    running: Mutex<Option<Arc<AtomicBool>>>,
    /// What is stored.
    stored: Mutex<Option<u64>>,
}

impl Loading {
    fn new() -> Self {
        Self {
            source: AtomicU64::new(0),
            gate: Gate::new(1),
            running: Mutex::new(None),
            stored: Mutex::new(None),
        }
    }

    /// As a flight does: admitted and entered under the map's lock.
    fn begin(&self) -> Arc<AtomicBool> {
        let ticket = Arc::new(AtomicBool::new(true));
        let mut running = self.running.lock().unwrap();
        assert!(self.gate.enter());
        *running = Some(Arc::clone(&ticket));
        ticket
    }

    /// Loaded under no lock, kept under the memory's if nobody forgot it.
    fn load(&self) {
        let ticket = self.begin();
        let found = self.source.load(Ordering::Relaxed);
        let mut stored = self.stored.lock().unwrap();
        if ticket.load(Ordering::Acquire) {
            *stored = Some(found);
        }
        drop(stored);
        let mut running = self.running.lock().unwrap();
        if running.as_ref().is_some_and(|own| Arc::ptr_eq(own, &ticket)) {
            *running = None;
        }
        drop(running);
        self.gate.leave();
    }

    /// As a removal does, after the source was changed: forgets, then removes.
    fn remove(&self) {
        if !self.gate.is_quiet() {
            let forgotten = self.running.lock().unwrap().take();
            if let Some(ticket) = forgotten {
                ticket.store(false, Ordering::Release);
            }
        }
        *self.stored.lock().unwrap() = None;
    }
}

fn a_forgotten_load_does_not_stay() {
    model(|| {
        let cache = Arc::new(Loading::new());
        let other = Arc::clone(&cache);
        let loading = thread::spawn(move || other.load());
        cache.source.store(1, Ordering::Relaxed);
        cache.remove();
        // Not even before the load has ended.
        assert_ne!(*cache.stored.lock().unwrap(), Some(0));
        loading.join().unwrap();
        assert_ne!(*cache.stored.lock().unwrap(), Some(0));
        assert!(cache.gate.is_quiet() && cache.running.lock().unwrap().is_none());
    });
}

fn pass(gate: &Gate, inside: &Mutex<u32>) {
    if gate.enter() {
        *inside.lock().unwrap() += 1;
        assert!(*inside.lock().unwrap() <= 1 && gate.inside() <= gate.max());
        *inside.lock().unwrap() -= 1;
        gate.leave();
    }
}

fn the_gate_keeps_its_bound() {
    model(|| {
        let both = Arc::new((Gate::new(1), Mutex::new(0)));
        let other = Arc::clone(&both);
        let passing = thread::spawn(move || pass(&other.0, &other.1));
        pass(&both.0, &both.1);
        passing.join().unwrap();
        assert!(both.0.is_quiet());
    });
}

/// A value with a tag, and the source that it is made of.
struct Tagged {
    tags: Tags,
    source: AtomicU64,
    /// What was found, and the tick before.
    stored: Mutex<Option<(u64, u64)>>,
}

impl Tagged {
    /// As a load does: the tick first, and kept if its tags hold.
    fn keep(&self) {
        let born = self.tags.epoch();
        let found = self.source.load(Ordering::Relaxed);
        if self.tags.hold(born, &["a".into()]) {
            *self.stored.lock().unwrap() = Some((found, born));
        }
    }

    fn served(&self) -> Option<u64> {
        let stored = *self.stored.lock().unwrap();
        stored.filter(|(_, born)| self.tags.hold(*born, &["a".into()])).map(|(found, _)| found)
    }
}

fn what_was_invalidated_is_not_served() {
    model(|| {
        let (tags, source, stored) = (Tags::new(1), AtomicU64::new(0), Mutex::new(None));
        let cache = Arc::new(Tagged { tags, source, stored });
        let other = Arc::clone(&cache);
        let keeping = thread::spawn(move || other.keep());
        cache.source.store(1, Ordering::Relaxed);
        cache.tags.invalidate(["a"]);
        assert_ne!(cache.served(), Some(0));
        // Another tag pushes the first one out of the table, which must not bring anything back.
        cache.tags.invalidate(["b"]);
        keeping.join().unwrap();
        assert_ne!(cache.served(), Some(0));
    });
}
