//! How dates are read: RFC 9110 §5.6.7.

use crate::row::Check::{All, Date, Fits, Lifetime};
use crate::row::Level::{Choice, Must, Rule};
use crate::row::{Row, row};

#[rustfmt::skip]
pub(crate) const ROWS: &[Row] = &[
    row("RFC 9110 §5.6.7", Must, "IMF-fixdate, RFC 850 and asctime dates are read.", All(&[
        Date("Sun, 06 Nov 1994 08:49:37 GMT", Some("Sun, 06 Nov 1994 08:49:37 GMT")),
        Date("Sunday, 06-Nov-94 08:49:37 GMT", Some("Sun, 06 Nov 1994 08:49:37 GMT")),
        Date("Sun Nov  6 08:49:37 1994", Some("Sun, 06 Nov 1994 08:49:37 GMT")),
        Date("Sun Nov 16 08:49:37 1994", Some("Wed, 16 Nov 1994 08:49:37 GMT")),
    ])),
    row("RFC 9110 §5.6.7", Must, "A two-digit year more than 50 years ahead is in the past century.", All(&[
        Date("Sunday, 06-Nov-72 08:49:37 GMT", Some("Sun, 06 Nov 2072 08:49:37 GMT")),
        Date("Monday, 06-Nov-73 08:49:37 GMT", Some("Tue, 06 Nov 1973 08:49:37 GMT")),
        Date("Sunday, 06-Nov-23 08:49:37 GMT", Some("Mon, 06 Nov 2023 08:49:37 GMT")),
    ])),
    row("RFC 9110 §5.6.7", Choice, "Names of days and months are read in any letter case.", Date("sun, 06 NOV 1994 08:49:37 gmt", Some("Sun, 06 Nov 1994 08:49:37 GMT"))),
    row("RFC 9110 §5.6.7", Rule, "What is not of these forms in every byte is no date.", All(&[
        Date("", None),
        Date("0", None),
        Date("06 Nov 1994 08:49:37 GMT", None),
        Date("Sun, 6 Nov 1994 08:49:37 GMT", None),
        Date("Sun, 06 Nov 1994 8:49:37 GMT", None),
        Date("Sun, 06 Nov 1994 08:49 GMT", None),
        Date("Sun, 06 Nov 1994 08:49:37", None),
        Date("Sun, 06 Nov 1994 08:49:37 +0000", None),
        Date("Sun, 06 Nov 1994 08:49:37 GMT ", None),
        Date("Sun, 06 Nov 1994 24:00:00 GMT", None),
        Date("Sun, 31 Nov 1994 08:49:37 GMT", None),
        Date("Sun, 06 Foo 1994 08:49:37 GMT", None),
        Date("Foo, 06 Nov 1994 08:49:37 GMT", None),
        Date("1994-11-06T08:49:37Z", None),
    ])),
    row("RFC 9110 §5.6.7", Rule, "A leap second is the first of the next minute.", Date("Sat, 31 Dec 2016 23:59:60 GMT", Some("Sun, 01 Jan 2017 00:00:00 GMT"))),
    row("RFC 9110 §5.6.1", Must, "Empty members of lists are skipped.", All(&[
        Lifetime("cache-control: , ,max-age=60,, ", 60),
        Fits("vary: , foo, ,", "foo: 1", "foo: 2", false),
    ])),
    row("RFC 9110 §5.3", Rule, "Several lines of a list are one list.", Lifetime("cache-control: max-age=60\ncache-control: public\ncache-control: s-maxage=5", 5)),
    row("RFC 9110 §5.6.4", Must, "A comma within a quoted string does not end a member; a quoted pair is one character.", All(&[
        Lifetime("cache-control: x=\"a, max-age=5\", max-age=60", 60),
        Lifetime("cache-control: x=\"a\\\", max-age=5\", max-age=60", 60),
    ])),
];
