//! Dates of HTTP: three forms are read, one is written (RFC 9110 §5.6.7).

use std::time::{Duration, SystemTime, UNIX_EPOCH};

const DAYS: [&str; 7] =
    ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

const SECONDS_A_DAY: i64 = 86_400;

/// The last second that four digits of a year can say.
const LAST: i64 = 253_402_300_799;

/// The first second of the year 0.
const FIRST: i64 = -62_167_219_200;

/// Reads a date in one of the three forms: IMF-fixdate, RFC 850, asctime.
///
/// Strict in everything but letter case: a caller must take `None` for "in the past" where the
/// RFC says so (`Expires`, RFC 9111 §5.3). The name of the day must be one, but whether it fits
/// the date is not checked. A two-digit year more than 50 years ahead is in the past century; the
/// system's clock is read for that form only.
///
/// ```
/// use std::time::{Duration, UNIX_EPOCH};
/// use vhttp::date;
///
/// let time = UNIX_EPOCH + Duration::from_secs(784_111_777);
/// assert_eq!(date::parse("Sun, 06 Nov 1994 08:49:37 GMT"), Some(time));
/// assert_eq!(date::parse("Sunday, 06-Nov-94 08:49:37 GMT"), Some(time));
/// assert_eq!(date::parse("Sun Nov  6 08:49:37 1994"), Some(time));
/// assert_eq!(date::parse("Sun, 06 Nov 1994 08:49:37 UTC"), None);
/// ```
#[must_use]
pub fn parse(text: &str) -> Option<SystemTime> {
    read(text, SystemTime::now)
}

/// [`parse`] with the time that two-digit years are compared with.
#[must_use]
pub fn parse_at(text: &str, now: SystemTime) -> Option<SystemTime> {
    read(text, || now)
}

/// Writes a date as an IMF-fixdate, such as `Sun, 06 Nov 1994 08:49:37 GMT`.
///
/// Fractions of a second are cut off. Times outside of the years 0 to 9999 become the nearest one
/// inside.
#[must_use]
pub fn format(time: SystemTime) -> String {
    let seconds = seconds_of(time).clamp(FIRST, LAST);
    let (days, rest) = (seconds.div_euclid(SECONDS_A_DAY), seconds.rem_euclid(SECONDS_A_DAY));
    let (year, month, day) = civil_from_days(days);
    // 1 January 1970 was a Thursday, three days after a Monday.
    let weekday = pick(&DAYS, (days + 3).rem_euclid(7));
    let month = pick(&MONTHS, month - 1);
    let (hour, minute, second) = (rest / 3600, rest / 60 % 60, rest % 60);
    let weekday = weekday.get(..3).unwrap_or_default();
    format!("{weekday}, {day:02} {month} {year:04} {hour:02}:{minute:02}:{second:02} GMT")
}

fn pick(names: &[&'static str], index: i64) -> &'static str {
    let index = usize::try_from(index).unwrap_or_default();
    names.get(index).copied().unwrap_or_default()
}

/// Whole seconds since 1970, rounded down.
fn seconds_of(time: SystemTime) -> i64 {
    match time.duration_since(UNIX_EPOCH) {
        Ok(after) => i64::try_from(after.as_secs()).unwrap_or(i64::MAX),
        Err(before) => {
            let before = before.duration();
            let up = i64::from(before.subsec_nanos() > 0);
            i64::try_from(before.as_secs()).map_or(i64::MIN, |s| -s - up)
        }
    }
}

fn read(text: &str, now: impl FnOnce() -> SystemTime) -> Option<SystemTime> {
    let mut scan = Scan(text);
    let seconds = match scan.weekday()? {
        Weekday::Long => rfc850(&mut scan, now),
        Weekday::Short if scan.0.starts_with(',') => imf_fixdate(&mut scan),
        Weekday::Short => asctime(&mut scan),
    }?;
    if !scan.0.is_empty() {
        return None;
    }
    if let Ok(after) = u64::try_from(seconds) {
        return UNIX_EPOCH.checked_add(Duration::from_secs(after));
    }
    UNIX_EPOCH.checked_sub(Duration::from_secs(seconds.unsigned_abs()))
}

/// `, 06 Nov 1994 08:49:37 GMT`
fn imf_fixdate(scan: &mut Scan<'_>) -> Option<i64> {
    scan.literal(", ")?;
    let day = scan.number(2)?;
    scan.literal(" ")?;
    let month = scan.month()?;
    scan.literal(" ")?;
    let year = scan.number(4)?;
    scan.literal(" ")?;
    let time = scan.time()?;
    scan.literal(" GMT")?;
    Some(midnight(year, month, day)? + time)
}

/// `, 06-Nov-94 08:49:37 GMT`
fn rfc850(scan: &mut Scan<'_>, now: impl FnOnce() -> SystemTime) -> Option<i64> {
    scan.literal(", ")?;
    let day = scan.number(2)?;
    scan.literal("-")?;
    let month = scan.month()?;
    scan.literal("-")?;
    let short_year = scan.number(2)?;
    scan.literal(" ")?;
    let time = scan.time()?;
    scan.literal(" GMT")?;
    let now = seconds_of(now()).clamp(FIRST, LAST);
    let year = full_year(short_year, (month, day), now);
    Some(midnight(year, month, day)? + time)
}

/// ` Nov  6 08:49:37 1994`
fn asctime(scan: &mut Scan<'_>) -> Option<i64> {
    scan.literal(" ")?;
    let month = scan.month()?;
    scan.literal(" ")?;
    let day = match scan.literal(" ") {
        Some(()) => scan.number(1)?,
        None => scan.number(2)?,
    };
    scan.literal(" ")?;
    let time = scan.time()?;
    scan.literal(" ")?;
    let year = scan.number(4)?;
    Some(midnight(year, month, day)? + time)
}

/// The year with these last two digits: in this century, or in the past one when it would be more
/// than 50 years ahead of `now` (RFC 9110 §5.6.7).
fn full_year(short: i64, (month, day): (i64, i64), now: i64) -> i64 {
    let (this_year, this_month, this_day) = civil_from_days(now.div_euclid(SECONDS_A_DAY));
    let year = this_year - this_year.rem_euclid(100) + short;
    if (year, month, day) > (this_year + 50, this_month, this_day) { year - 100 } else { year }
}

/// Seconds from 1970 to the start of the day; `None` when there is no such day.
fn midnight(year: i64, month: i64, day: i64) -> Option<i64> {
    let days = days_from_civil(year, month, day);
    (civil_from_days(days) == (year, month, day)).then_some(days * SECONDS_A_DAY)
}

/// Days from 1 January 1970 (H. Hinnant, "chrono-compatible low-level date algorithms").
const fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    // Years that begin in March have the leap day at their end.
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

/// Year, month and day (the same source).
const fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    let year = year_of_era + era * 400;
    (if month <= 2 { year + 1 } else { year }, month, day)
}

enum Weekday {
    Short,
    Long,
}

/// What is left to read.
struct Scan<'a>(&'a str);

impl Scan<'_> {
    fn literal(&mut self, wanted: &str) -> Option<()> {
        let (found, rest) = self.0.split_at_checked(wanted.len())?;
        if !found.eq_ignore_ascii_case(wanted) {
            return None;
        }
        self.0 = rest;
        Some(())
    }

    fn one_of(&mut self, names: &[&str]) -> Option<i64> {
        let mut named = (0..).zip(names);
        named.find_map(|(index, name)| self.literal(name).map(|()| index))
    }

    fn weekday(&mut self) -> Option<Weekday> {
        if self.one_of(&DAYS).is_some() {
            return Some(Weekday::Long);
        }
        let (short, rest) = self.0.split_at_checked(3)?;
        let known = |day: &&&str| day.get(..3).is_some_and(|d| d.eq_ignore_ascii_case(short));
        self.0 = rest;
        DAYS.iter().find(known).map(|_| Weekday::Short)
    }

    fn month(&mut self) -> Option<i64> {
        self.one_of(&MONTHS).map(|index| index + 1)
    }

    /// Exactly so many digits.
    fn number(&mut self, digits: usize) -> Option<i64> {
        let (found, rest) = self.0.split_at_checked(digits)?;
        self.0 = rest;
        let all_digits = found.bytes().all(|b| b.is_ascii_digit());
        all_digits.then(|| found.parse().ok()).flatten()
    }

    /// `08:49:37`, in seconds; a leap second is the first of the next minute.
    fn time(&mut self) -> Option<i64> {
        let hour = self.number(2).filter(|hour| *hour < 24)?;
        self.literal(":")?;
        let minute = self.number(2).filter(|minute| *minute < 60)?;
        self.literal(":")?;
        let second = self.number(2).filter(|second| *second <= 60)?;
        Some(hour * 3600 + minute * 60 + second)
    }
}

#[cfg(test)]
mod tests;
