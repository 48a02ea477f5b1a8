//! Every series by name and full label set, under caps.

use std::borrow::Cow;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use foldhash::fast::RandomState;
use hashbrown::HashMap;

use crate::config::Config;
use crate::error::ConfigError;
use crate::histogram::{Bounds, Histogram, shards_for_machine};
use crate::instrument::{Counter, Gauge};
use crate::label::{Canonical, Labels, cut, metric_name};
use crate::snapshot::{Kind, Metric, Sample, Value};

/// Longest description; what is longer is cut.
const MAX_HELP_BYTES: usize = 1024;

/// What a histogram adds to its name when it is exposed.
const HISTOGRAM_SUFFIXES: [&str; 3] = ["_bucket", "_count", "_sum"];

/// All metrics. Recording takes no lock; finding a series takes two for reading; a new series one
/// for writing; a scrape holds them only while it copies handles.
#[derive(Debug)]
pub(crate) struct Registry {
    config: Config,
    default_bounds: Bounds,
    metric_bounds: HashMap<String, Bounds, RandomState>,
    shards: usize,
    families: RwLock<HashMap<Arc<str>, Arc<Family>, RandomState>>,
    series: AtomicUsize,
    dropped: AtomicU64,
}

/// One metric: its name, kind and series.
#[derive(Debug)]
pub(crate) struct Family {
    name: Arc<str>,
    kind: Kind,
    about: RwLock<About>,
    series: RwLock<HashMap<Arc<Labels>, Series, RandomState>>,
}

#[derive(Debug, Clone, Default)]
struct About {
    help: Cow<'static, str>,
    unit: Option<&'static str>,
}

/// The handle of one series.
#[derive(Debug, Clone)]
pub(crate) enum Series {
    Counter(Counter),
    Gauge(Gauge),
    Histogram(Histogram),
}

impl Registry {
    /// An empty registry under the caps of `config`.
    pub(crate) fn new(config: Config) -> Result<Self, ConfigError> {
        for (field, cap) in [
            ("max_metrics", config.max_metrics),
            ("max_series_per_metric", config.max_series_per_metric),
            ("max_series", config.max_series),
            ("max_label_bytes", config.max_label_bytes),
        ] {
            if cap == 0 {
                return Err(ConfigError::Zero { field });
            }
        }
        let default_bounds = Bounds::new("buckets", &config.buckets)?;
        let metric_bounds = config
            .metric_buckets
            .iter()
            .map(|(name, bounds)| Ok((name.clone(), Bounds::new(name, bounds)?)))
            .collect::<Result<_, ConfigError>>()?;
        Ok(Self {
            config,
            default_bounds,
            metric_bounds,
            shards: shards_for_machine(),
            families: RwLock::default(),
            series: AtomicUsize::new(0),
            dropped: AtomicU64::new(0),
        })
    }

    /// The series of `name` with `labels`, made when it is new; the overflow series when there is
    /// no room; nothing when the name cannot be had (too many names, or of another kind).
    pub(crate) fn series<'a>(
        &self,
        kind: Kind,
        name: &str,
        labels: impl Iterator<Item = (&'a str, &'a str)>,
    ) -> Option<Series> {
        let Some(family) = self.family(kind, name) else {
            self.dropped.fetch_add(1, Ordering::Relaxed);
            return None;
        };
        let reserved = (kind == Kind::Histogram).then_some("le");
        let labels = Canonical::new(labels, reserved, self.config.max_label_bytes);
        if let Some(series) = self.find(&family, &labels) {
            return Some(series);
        }
        Some(self.insert(&family, &labels))
    }

    /// Describes a metric; the last description counts.
    pub(crate) fn describe(
        &self,
        kind: Kind,
        name: &str,
        unit: Option<&'static str>,
        help: Cow<'static, str>,
    ) {
        let Some(family) = self.family(kind, name) else {
            return;
        };
        let help = if help.len() > MAX_HELP_BYTES {
            Cow::Owned(cut(&help, MAX_HELP_BYTES).to_owned())
        } else {
            help
        };
        *write(&family.about) = About { help, unit };
    }

    /// Series held, overflow series aside.
    pub(crate) fn len(&self) -> usize {
        self.series.load(Ordering::Relaxed)
    }

    /// Look-ups that a cap turned away.
    pub(crate) fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    /// Every metric, in no order.
    pub(crate) fn families(&self) -> Vec<Arc<Family>> {
        read(&self.families).values().cloned().collect()
    }

    fn family(&self, kind: Kind, name: &str) -> Option<Arc<Family>> {
        let name = exposed_name(kind, name);
        let found = read(&self.families).get(&*name).cloned();
        match found {
            Some(family) => (family.kind == kind).then_some(family),
            None => self.insert_family(kind, &name),
        }
    }

    fn insert_family(&self, kind: Kind, name: &str) -> Option<Arc<Family>> {
        let mut families = write(&self.families);
        if let Some(family) = families.get(name) {
            return (family.kind == kind).then(|| Arc::clone(family));
        }
        if families.len() >= self.config.max_metrics || is_taken(&families, kind, name) {
            return None;
        }
        let name: Arc<str> = name.into();
        let family = Arc::new(Family {
            name: Arc::clone(&name),
            kind,
            about: RwLock::default(),
            series: RwLock::default(),
        });
        families.insert(name, Arc::clone(&family));
        Some(family)
    }

    /// A series that is there already, or that is known to have no room.
    fn find(&self, family: &Family, labels: &Canonical<'_>) -> Option<Series> {
        let map = read(&family.series);
        if let Some(series) = map.get(labels) {
            return Some(series.clone());
        }
        if map.len() < self.config.max_series_per_metric && self.len() < self.config.max_series {
            return None;
        }
        let overflow = map.get(&Canonical::overflow())?.clone();
        self.dropped.fetch_add(1, Ordering::Relaxed);
        Some(overflow)
    }

    fn insert(&self, family: &Family, labels: &Canonical<'_>) -> Series {
        let mut map = write(&family.series);
        if let Some(series) = map.get(labels) {
            return series.clone();
        }
        let admitted = map.len() < self.config.max_series_per_metric && self.take_place();
        let labels = if admitted {
            labels.to_labels()
        } else {
            self.dropped.fetch_add(1, Ordering::Relaxed);
            Labels::overflow()
        };
        map.entry(Arc::new(labels)).or_insert_with(|| self.new_series(family)).clone()
    }

    /// Takes one of the places for series, if one is left.
    fn take_place(&self) -> bool {
        let take = |taken: usize| (taken < self.config.max_series).then_some(taken + 1);
        self.series.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take).is_ok()
    }

    fn new_series(&self, family: &Family) -> Series {
        match family.kind {
            Kind::Counter => Series::Counter(Counter::default()),
            Kind::Gauge => Series::Gauge(Gauge::default()),
            Kind::Histogram => Series::Histogram(self.new_histogram(&family.name)),
        }
    }

    /// An empty histogram with the buckets of `name`, in no metric.
    pub(crate) fn new_histogram(&self, name: &str) -> Histogram {
        let bounds = match self.metric_bounds.get(name) {
            Some(bounds) => bounds.clone(),
            None if name.ends_with("_bytes") => Bounds::bytes(),
            None => self.default_bounds.clone(),
        };
        Histogram::new(bounds, self.shards)
    }
}

impl Family {
    /// The name as exposed.
    pub(crate) fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// Whether nothing was ever measured under this name.
    pub(crate) fn is_empty(&self) -> bool {
        read(&self.series).is_empty()
    }

    /// The metric as it is now. The handles are copied under the lock, the values read after it.
    pub(crate) fn snapshot(&self) -> Metric {
        let About { help, unit } = read(&self.about).clone();
        let mut handles: Vec<(Arc<Labels>, Series)> = read(&self.series)
            .iter()
            .map(|(labels, series)| (Arc::clone(labels), series.clone()))
            .collect();
        handles.sort_by(|a, b| a.0.cmp(&b.0));
        let samples = handles.into_iter().map(|(labels, series)| Sample {
            labels,
            value: match series {
                Series::Counter(counter) => Value::Whole(counter.value()),
                Series::Gauge(gauge) => Value::Float(gauge.value()),
                Series::Histogram(histogram) => Value::Histogram(histogram.snapshot()),
            },
        });
        Metric {
            name: Arc::clone(&self.name),
            kind: self.kind,
            help,
            unit,
            samples: samples.collect(),
        }
    }
}

/// The name as exposed: valid, and with `_total` at the end of a counter.
fn exposed_name(kind: Kind, name: &str) -> Cow<'_, str> {
    let name = metric_name(name);
    if kind == Kind::Counter && !name.ends_with("_total") {
        Cow::Owned(format!("{name}_total"))
    } else {
        name
    }
}

/// Whether a histogram's lines would carry the name of another metric.
fn is_taken(
    families: &HashMap<Arc<str>, Arc<Family>, RandomState>,
    kind: Kind,
    name: &str,
) -> bool {
    HISTOGRAM_SUFFIXES.iter().any(|suffix| {
        let as_histogram =
            kind == Kind::Histogram && families.contains_key(&*format!("{name}{suffix}"));
        let of_histogram = name
            .strip_suffix(suffix)
            .and_then(|base| families.get(base))
            .is_some_and(|family| family.kind == Kind::Histogram);
        as_histogram || of_histogram
    })
}

/// Locks guard only maps that every change leaves whole, so a panic elsewhere spoils nothing.
fn read<T>(lock: &RwLock<T>) -> RwLockReadGuard<'_, T> {
    lock.read().unwrap_or_else(PoisonError::into_inner)
}

fn write<T>(lock: &RwLock<T>) -> RwLockWriteGuard<'_, T> {
    lock.write().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
