//! Dates: the three forms, what is refused, and round trips.

use proptest::prelude::*;

use super::*;

fn at(seconds: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(seconds)
}

#[test]
fn dates_of_the_three_forms() {
    for (text, seconds) in [
        ("Sun, 06 Nov 1994 08:49:37 GMT", 784_111_777),
        ("sun, 06 nov 1994 08:49:37 gmt", 784_111_777),
        ("Mon, 06 Nov 1994 08:49:37 GMT", 784_111_777),
        ("Sunday, 06-Nov-94 08:49:37 GMT", 784_111_777),
        ("Sun Nov  6 08:49:37 1994", 784_111_777),
        ("Thu Jan  1 00:00:00 1970", 0),
        ("Tue Feb 29 12:00:00 2000", 951_825_600),
        ("Fri, 31 Dec 2016 23:59:60 GMT", 1_483_228_800),
    ] {
        assert_eq!(parse(text), Some(at(seconds)), "{text}");
    }
}

#[test]
fn everything_else_is_refused() {
    for text in [
        "",
        "0",
        "-1",
        "Sun, 06 Nov 1994 08:49:37",
        "Sun, 06 Nov 1994 08:49:37 UTC",
        "Sun, 06 Nov 1994 08:49:37 AEST",
        "Sun, 06 Nov 1994 08:49:37 +0000",
        "Sun, 06 Nov 1994 08:49:37 GMT ",
        " Sun, 06 Nov 1994 08:49:37 GMT",
        "Sun 06 Nov 1994 08:49:37 GMT",
        "Sun,06 Nov 1994 08:49:37 GMT",
        "Sun,  06 Nov 1994 08:49:37 GMT",
        "Sun, 6 Nov 1994 08:49:37 GMT",
        "Sun, 06-Nov-1994 08:49:37 GMT",
        "Sun, 06 Nov 94 08:49:37 GMT",
        "Sun, 06 Nov 1994 8:49:37 GMT",
        "Sun, 06 Nov 1994 08.49.37 GMT",
        "Sun, 06 11 1994 08:49:37 GMT",
        "Sun, 31 Feb 1994 08:49:37 GMT",
        "Sun, 00 Nov 1994 08:49:37 GMT",
        "Sun, 06 Nov 1994 24:00:00 GMT",
        "Sun, 06 Nov 1994 08:60:00 GMT",
        "Xyz, 06 Nov 1994 08:49:37 GMT",
        "Sunday, 06 Nov 1994 08:49:37 GMT",
        "Sun, 06-Nov-94 08:49:37 GMT",
        "Sun Nov 6 08:49:37 1994",
        "Sun Nov  6 08:49:37 94",
        "Sun, +6 Nov 1994 08:49:37 GMT",
    ] {
        assert_eq!(parse(text), None, "{text}");
    }
}

#[test]
fn a_two_digit_year_is_at_most_fifty_years_ahead() {
    let now = parse("Wed, 01 Jul 2026 00:00:00 GMT").unwrap();
    for (text, year) in [
        ("Friday, 01-Jan-27 00:00:00 GMT", "2027"),
        ("Wednesday, 01-Jul-76 00:00:00 GMT", "2076"),
        ("Wednesday, 02-Jul-76 00:00:00 GMT", "1976"),
        ("Friday, 31-Dec-99 00:00:00 GMT", "1999"),
    ] {
        let time = format(parse_at(text, now).unwrap());
        assert!(time.contains(year), "{text} is {time}");
    }
}

#[test]
fn times_that_no_date_can_say_are_clamped() {
    let far = UNIX_EPOCH + Duration::from_secs(1 << 40);
    assert_eq!(format(far), "Fri, 31 Dec 9999 23:59:59 GMT");
    let early = UNIX_EPOCH - Duration::from_millis(1);
    assert_eq!(format(early), "Wed, 31 Dec 1969 23:59:59 GMT");
}

proptest! {
    #[test]
    fn what_is_written_is_read_back(seconds in 0u64..=253_402_300_799) {
        prop_assert_eq!(parse(&format(at(seconds))), Some(at(seconds)));
    }

    #[test]
    fn times_before_1970_are_read_back(seconds in 1u64..=62_167_219_200) {
        let time = UNIX_EPOCH - Duration::from_secs(seconds);
        prop_assert_eq!(parse(&format(time)), Some(time));
    }

    #[test]
    fn no_text_panics(text in "(\\PC{0,30}|[A-Z][a-z]{2},? [0-9a-zA-Z: -]{0,30})") {
        let _ = parse(&text);
    }
}
