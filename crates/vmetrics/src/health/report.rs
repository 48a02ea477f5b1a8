//! What is said of the process and its checks, in `application/health+json`.
//!
//! Source: draft-inadarei-api-health-check-06 (expired, and still the nearest to a standard).

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Map, Value, json};

/// The media type of a report.
pub(crate) const MEDIA_TYPE: &str = "application/health+json";

/// How something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Status {
    /// Well.
    Pass,
    /// It works, and somebody should look.
    Warn,
    /// It does not work.
    Fail,
}

impl Status {
    /// The status as the draft writes it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Warn => "warn",
            Self::Fail => "fail",
        }
    }
}

/// One check as it is now.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct CheckReport {
    /// The check's name.
    pub name: String,
    /// Whether readiness depends on it.
    pub critical: bool,
    /// Its status. It warns as soon as its last run failed, when it never ran, and when it is
    /// optional and stopped to run; a critical one fails when it is not [`passing`](Self::passing)
    /// any more.
    pub status: Status,
    /// Whether it passes: it ran, lately, and the last `fall` runs did not all fail, or the last
    /// `rise` did all pass. Readiness depends on this.
    pub passing: bool,
    /// The error of the last run, if that failed.
    pub error: Option<String>,
    /// How long the last run took.
    pub took: Duration,
    /// When the last run ended; `None` before the first.
    pub checked_at: Option<SystemTime>,
}

/// The process and its checks as they are now.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Report {
    /// The worst of the checks' statuses: a single failed run makes it warn.
    pub status: Status,
    /// Whether requests should come here: started, not draining, critical checks passing.
    pub ready: bool,
    /// Why not, in a word: `starting`, `draining` or `checks`.
    pub unready: Option<&'static str>,
    /// The version of the service, if it was told.
    pub version: Option<String>,
    /// The name of the service, if it was told.
    pub service: Option<String>,
    /// The checks, in the order they were added.
    pub checks: Vec<CheckReport>,
}

impl Report {
    /// The report as JSON; without `details` only the status, since the rest tells strangers what
    /// this process depends on.
    #[must_use]
    pub fn to_json(&self, details: bool) -> String {
        self.json(self.status, details)
    }

    /// The same for the question whether the process is ready.
    pub(crate) fn readiness_json(&self, details: bool) -> String {
        let status = if self.ready { Status::Pass } else { Status::Fail };
        self.json(status, details)
    }

    fn json(&self, status: Status, details: bool) -> String {
        let mut map = Map::new();
        map.insert("status".to_owned(), status.name().into());
        if details {
            self.add_details(&mut map);
        }
        Value::Object(map).to_string()
    }

    fn add_details(&self, map: &mut Map<String, Value>) {
        for (key, value) in [("version", &self.version), ("serviceId", &self.service)] {
            if let Some(value) = value {
                map.insert(key.to_owned(), value.as_str().into());
            }
        }
        if let Some(why) = self.unready {
            map.insert("notes".to_owned(), json!([format!("not ready: {why}")]));
        }
        let checks: Map<_, _> = self.checks.iter().map(CheckReport::entry).collect();
        map.insert("checks".to_owned(), checks.into());
    }
}

impl CheckReport {
    /// The check as the draft has it (§4): a name and what is measured, with a list of results.
    fn entry(&self) -> (String, Value) {
        let mut map = Map::new();
        map.insert("componentType".to_owned(), "component".into());
        map.insert("status".to_owned(), self.status.name().into());
        map.insert("critical".to_owned(), self.critical.into());
        let ms = self.took.as_secs_f64() * 1e3;
        map.insert("observedValue".to_owned(), ms.into());
        map.insert("observedUnit".to_owned(), "ms".into());
        if let Some(at) = self.checked_at {
            map.insert("time".to_owned(), rfc3339(at).into());
        }
        if let Some(error) = &self.error {
            map.insert("output".to_owned(), error.as_str().into());
        }
        (format!("{}:responseTime", self.name), json!([map]))
    }
}

/// `time` as RFC 3339 has it, in UTC, to the second.
fn rfc3339(time: SystemTime) -> String {
    let seconds = time.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let (days, second) = (seconds / 86_400, seconds % 86_400);
    let (year, month, day) = date(days);
    let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

/// Year, month and day of a day since 1970. Source: Howard Hinnant, "chrono-Compatible Low-Level
/// Date Algorithms", `civil_from_days`: years begin in March, eras have 400 years.
const fn date(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468;
    let (era, of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let march_month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * march_month + 2) / 5 + 1;
    let month = if march_month < 10 { march_month + 3 } else { march_month - 9 };
    let year = era * 400 + year_of_era + if month <= 2 { 1 } else { 0 };
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_rfc_3339() {
        let at = |seconds| rfc3339(UNIX_EPOCH + Duration::from_secs(seconds));
        assert_eq!(at(0), "1970-01-01T00:00:00Z");
        assert_eq!(at(951_782_399), "2000-02-28T23:59:59Z");
        assert_eq!(at(951_782_400), "2000-02-29T00:00:00Z");
        assert_eq!(at(1_709_251_199), "2024-02-29T23:59:59Z");
        assert_eq!(at(4_107_542_400), "2100-03-01T00:00:00Z");
    }

    #[test]
    fn details_are_told_only_when_asked_for() {
        let report = Report {
            status: Status::Fail,
            ready: false,
            unready: Some("checks"),
            version: Some("1.2".to_owned()),
            service: None,
            checks: vec![CheckReport {
                name: "redis".to_owned(),
                critical: true,
                status: Status::Fail,
                passing: false,
                error: Some("refused".to_owned()),
                took: Duration::from_millis(3),
                checked_at: Some(UNIX_EPOCH),
            }],
        };
        assert_eq!(report.to_json(false), r#"{"status":"fail"}"#);
        let details: Value = serde_json::from_str(&report.to_json(true)).unwrap();
        assert_eq!(
            details,
            json!({
                "status": "fail",
                "version": "1.2",
                "notes": ["not ready: checks"],
                "checks": { "redis:responseTime": [{
                    "componentType": "component",
                    "status": "fail",
                    "critical": true,
                    "observedValue": 3.0,
                    "observedUnit": "ms",
                    "time": "1970-01-01T00:00:00Z",
                    "output": "refused",
                }]},
            })
        );
    }
}
