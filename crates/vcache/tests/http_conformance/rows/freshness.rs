//! How long a response may be used, and how old it is: RFC 9111 §4.2, §5.1, §5.3, RFC 8246,
//! RFC 9213.

use crate::cache::Config;
use crate::cache::policy::{Decision, Refusal};

use crate::row::Check::{Age, All, Decides, Lifetime, Refuses, Serves, Stores};
use crate::row::Level::{Choice, May, Must, Rule, Should};
use crate::row::{Row, row};
use crate::script::Expect::{Body, Has};
use crate::script::get;

const HIT: Decision = Decision::Hit;
const VALIDATE: Decision = Decision::Validate { asked: false };
const ASKED: Decision = Decision::Validate { asked: true };

fn no_targets() -> Config {
    Config { targets: Vec::new(), ..Config::default() }
}

fn without_heuristic() -> Config {
    Config { heuristic_percent: 0, ..Config::default() }
}

#[rustfmt::skip]
pub(crate) const ROWS: &[Row] = &[
    row("RFC 9111 §4.2", Rule, "Fresh while the lifetime is longer than the age, to the second.", All(&[
        Decides("", "cache-control: max-age=10", 0, HIT),
        Decides("", "cache-control: max-age=10", 9, HIT),
        Decides("", "cache-control: max-age=10", 10, VALIDATE),
        Decides("", "cache-control: max-age=10\nage: 4", 5, HIT),
        Decides("", "cache-control: max-age=10\nage: 4", 6, VALIDATE),
    ])),
    row("RFC 9111 §4.2.1", Must, "s-maxage goes before max-age and Expires in a shared cache.", All(&[
        Lifetime("cache-control: s-maxage=5, max-age=9\nexpires: Sun, 06 Nov 2022 13:00:00 GMT", 5),
        Lifetime("cache-control: max-age=9, s-maxage=15", 15),
        Lifetime("cache-control: max-age=9, s-maxage=0\netag: \"1\"", 0),
    ])),
    row("RFC 9111 §4.2.1", Must, "max-age goes before Expires.", All(&[
        Lifetime("cache-control: max-age=9\nexpires: Sun, 06 Nov 2022 13:00:00 GMT", 9),
        Lifetime("cache-control: max-age=9\nexpires: 0", 9),
        Lifetime("cache-control: max-age=0\nexpires: Sun, 06 Nov 2022 13:00:00 GMT\netag: \"1\"", 0),
    ])),
    row("RFC 9111 §4.2.1", Rule, "Expires less Date is the lifetime without them.", All(&[
        Lifetime("date: Sun, 06 Nov 2022 12:00:00 GMT\nexpires: Sun, 06 Nov 2022 13:00:00 GMT", 3600),
        Lifetime("date: Sun, 06 Nov 2022 11:00:00 GMT\nexpires: Sun, 06 Nov 2022 12:00:00 GMT\netag: \"1\"", 3600),
        Lifetime("cache-control: foo=1\nexpires: Sun, 06 Nov 2022 13:00:00 GMT", 3600),
    ])),
    row("RFC 9111 §4.2.1", Should, "Of a directive that is there twice the smaller counts, over all lines.", All(&[
        Lifetime("cache-control: max-age=60, max-age=10", 10),
        Lifetime("cache-control: max-age=10\ncache-control: max-age=60", 10),
        Lifetime("cache-control: s-maxage=60\ncache-control: s-maxage=10", 10),
    ])),
    row("RFC 9111 §4.2.1", Should, "A lifetime that is no number makes the response stale.", All(&[
        Lifetime("cache-control: max-age=-1\netag: \"1\"", 0),
        Lifetime("cache-control: max-age=60a\netag: \"1\"", 0),
        Lifetime("cache-control: max-age=a60\netag: \"1\"", 0),
        Lifetime("cache-control: max-age='60'\netag: \"1\"", 0),
        Lifetime("cache-control: max-age=6.0\netag: \"1\"", 0),
        Lifetime("cache-control: max-age=\netag: \"1\"", 0),
        Lifetime("cache-control: max-age\netag: \"1\"", 0),
        Lifetime("cache-control: max-age = 60\netag: \"1\"", 0),
        Lifetime("cache-control: s-maxage=x, max-age=60\netag: \"1\"", 0),
    ])),
    row("RFC 9111 §1.2.2", Must, "Seconds saturate from 2^31 on, however many digits there are.", All(&[
        Lifetime("cache-control: max-age=2147483647", 2_147_483_647),
        Lifetime("cache-control: max-age=2147483648", 2_147_483_648),
        Lifetime("cache-control: max-age=2147483649", 2_147_483_648),
        Lifetime("cache-control: max-age=18446744073709551616", 2_147_483_648),
        Lifetime("cache-control: max-age=99999999999999999999999", 2_147_483_648),
    ])),
    row("RFC 9111 §1.2.2", Rule, "Leading zeros do not count.", Lifetime("cache-control: max-age=00000000000000000000060", 60)),
    row("RFC 9111 §5.2", Must, "Names of directives are read in any letter case.", All(&[
        Lifetime("cache-control: MaX-aGe=60", 60),
        Lifetime("cache-control: S-MAXAGE=60", 60),
        Refuses("", 200, "cache-control: max-age=60, NO-store", Refusal::NoStore),
    ])),
    row("RFC 9111 §5.2", Must, "Arguments are read as a token and as a quoted string.", All(&[
        Lifetime("cache-control: max-age=\"60\"", 60),
        Lifetime("cache-control: max-age=\"6\\0\"", 60),
    ])),
    row("RFC 9111 §5.2", Rule, "A directive within another's quoted string is none.", All(&[
        Lifetime("cache-control: ext=\"max-age=9, no-store\", max-age=60", 60),
        Stores("", 200, "cache-control: max-age=60, x=\"no-store\""),
        Refuses("", 200, "cache-control: x=\"max-age=60\"", Refusal::NoLifetime),
    ])),
    row("RFC 9111 §5.2.3", Must, "Unknown directives are ignored.", All(&[
        Lifetime("cache-control: foo, bar=\"1\", max-age=60, baz=2", 60),
        Lifetime("cache-control: max-agex=9, xmax-age=8, max-age=60", 60),
    ])),
    row("RFC 9111 §4.2.2", Must, "No estimated lifetime beside an explicit one.", All(&[
        Lifetime("cache-control: max-age=5\nlast-modified: Sun, 06 Nov 2022 02:00:00 GMT", 5),
        Lifetime("expires: 0\nlast-modified: Sun, 06 Nov 2022 02:00:00 GMT", 0),
        Lifetime("cache-control: no-cache\nlast-modified: Sun, 06 Nov 2022 02:00:00 GMT", 0),
    ])),
    row("RFC 9111 §4.2.2", Rule, "An estimate is 10 % of the time since the last change (`heuristic_percent`).", All(&[
        Lifetime("last-modified: Sun, 06 Nov 2022 02:00:00 GMT", 3600),
        Lifetime("date: Sun, 06 Nov 2022 11:40:00 GMT\nlast-modified: Sun, 06 Nov 2022 01:40:00 GMT", 3600),
    ])),
    row("RFC 9111 §4.2.2", Choice, "An estimate is never longer than a day (`heuristic_max`).", Lifetime("last-modified: Sun, 06 Nov 2016 12:00:00 GMT", 86_400)),
    row("RFC 9111 §4.2.2", Must, "No estimate for statuses that are not cacheable by heuristic, unless marked public.", All(&[
        Refuses("", 201, "last-modified: Sun, 06 Nov 2022 02:00:00 GMT", Refusal::NoLifetime),
        Refuses("", 202, "last-modified: Sun, 06 Nov 2022 02:00:00 GMT", Refusal::NoLifetime),
        Refuses("", 302, "last-modified: Sun, 06 Nov 2022 02:00:00 GMT", Refusal::NoLifetime),
        Refuses("", 403, "last-modified: Sun, 06 Nov 2022 02:00:00 GMT", Refusal::NoLifetime),
        Refuses("", 500, "last-modified: Sun, 06 Nov 2022 02:00:00 GMT", Refusal::NoLifetime),
        Refuses("", 502, "last-modified: Sun, 06 Nov 2022 02:00:00 GMT", Refusal::NoLifetime),
        Refuses("", 503, "last-modified: Sun, 06 Nov 2022 02:00:00 GMT", Refusal::NoLifetime),
        Refuses("", 504, "last-modified: Sun, 06 Nov 2022 02:00:00 GMT", Refusal::NoLifetime),
        Refuses("", 599, "last-modified: Sun, 06 Nov 2022 02:00:00 GMT", Refusal::NoLifetime),
        Stores("", 599, "cache-control: public\nlast-modified: Sun, 06 Nov 2022 02:00:00 GMT"),
    ])),
    row("RFC 9110 §15.1", May, "An estimate for 200, 203, 204, 300, 301, 308, 404, 405, 410, 414 and 501.", All(&[
        Stores("", 200, "last-modified: Sun, 06 Nov 2022 02:00:00 GMT"),
        Stores("", 203, "last-modified: Sun, 06 Nov 2022 02:00:00 GMT"),
        Stores("", 204, "last-modified: Sun, 06 Nov 2022 02:00:00 GMT"),
        Stores("", 300, "last-modified: Sun, 06 Nov 2022 02:00:00 GMT"),
        Stores("", 301, "last-modified: Sun, 06 Nov 2022 02:00:00 GMT"),
        Stores("", 308, "last-modified: Sun, 06 Nov 2022 02:00:00 GMT"),
        Stores("", 404, "last-modified: Sun, 06 Nov 2022 02:00:00 GMT"),
        Stores("", 405, "last-modified: Sun, 06 Nov 2022 02:00:00 GMT"),
        Stores("", 410, "last-modified: Sun, 06 Nov 2022 02:00:00 GMT"),
        Stores("", 414, "last-modified: Sun, 06 Nov 2022 02:00:00 GMT"),
        Stores("", 501, "last-modified: Sun, 06 Nov 2022 02:00:00 GMT"),
    ])),
    row("RFC 9111 §4.2.2", Choice, "No estimate where something hints at a single client: Set-Cookie, private, no-cache for fields, or a Cookie that Vary does not name.", All(&[
        Refuses("cookie: a=1", 200, "last-modified: Sun, 06 Nov 2022 02:00:00 GMT", Refusal::NoLifetime),
        Stores("cookie: a=1", 200, "vary: cookie\nlast-modified: Sun, 06 Nov 2022 02:00:00 GMT"),
        Refuses("", 200, "set-cookie: a=1\nlast-modified: Sun, 06 Nov 2022 02:00:00 GMT", Refusal::SetCookie),
        Refuses("", 200, "cache-control: private=\"x\"\nlast-modified: Sun, 06 Nov 2022 02:00:00 GMT", Refusal::NoLifetime),
        Refuses("authorization: Basic x", 200, "cache-control: public\nlast-modified: Sun, 06 Nov 2022 02:00:00 GMT", Refusal::NoLifetime),
    ])),
    row("RFC 9111 §4.2.2", Choice, "What has an estimated lifetime answers no request with a Cookie that Vary does not name.", Serves(Config::default, &[
        get("").origin(200, "last-modified: @-36000", "a"),
        get("").gives(&[Body("a")]),
        get("cookie: a=1").origin(200, "last-modified: @-36000", "b").gives(&[Body("b")]),
    ])),
    row("RFC 9111 §4.2.2", Choice, "No estimate from a Last-Modified that is no date or not before Date.", All(&[
        Refuses("", 200, "last-modified: yesterday", Refusal::NoLifetime),
        Refuses("", 200, "last-modified: Sun, 06 Nov 2022 12:00:00 GMT", Refusal::NoLifetime),
        Refuses("", 200, "last-modified: Mon, 07 Nov 2022 12:00:00 GMT", Refusal::NoLifetime),
    ])),
    row("RFC 9111 §4.2.2", Choice, "With `heuristic_percent = 0` nothing is estimated.", Serves(without_heuristic, &[
        get("").origin(200, "last-modified: @-36000", "a"),
        get("").origin(200, "last-modified: @-36000", "b").gives(&[Body("b")]),
    ])),
    row("RFC 9111 §4.2.3", Rule, "The age on receipt is the larger of the apparent age, and Age with the delay of the answer.", All(&[
        Age("", 3, 3),
        Age("age: 10", 3, 13),
        Age("date: Sun, 06 Nov 2022 11:59:00 GMT", 3, 60),
        Age("date: Sun, 06 Nov 2022 11:59:00 GMT\nage: 90", 3, 93),
    ])),
    row("RFC 9111 §4.2.3", Rule, "A Date ahead of our clock, or that is no date, adds no age.", All(&[
        Age("date: Sun, 06 Nov 2022 12:01:00 GMT", 0, 0),
        Age("date: none", 0, 0),
    ])),
    row("RFC 9111 §4.2.3", Rule, "The time in the cache counts.", Serves(Config::default, &[
        get("").origin(200, "cache-control: max-age=60\nage: 10", ""),
        get("").later(30).gives(&[Has("age: 40")]),
        get("").later(20).origin(200, "cache-control: max-age=60", ""),
    ])),
    row("RFC 9111 §4.2.3", Rule, "The delay of the answer counts.", Serves(Config::default, &[
        get("").slow(7, "cache-control: max-age=60", ""),
        get("").later(1).gives(&[Has("age: 8")]),
    ])),
    row("RFC 9111 §5.1", Must, "An answer from the store has one Age, of its current age.", Serves(Config::default, &[
        get("").origin(200, "cache-control: max-age=60\nage: 3\nage: 9", ""),
        get("").gives(&[Has("age: 3")]),
    ])),
    row("RFC 9111 §5.1", Rule, "Of several values of Age the first counts.", All(&[
        Age("age: 0, 7200", 0, 0), Age("age: 7200, 0", 0, 7200), Age("age: 5\nage: 9", 0, 5),
    ])),
    row("RFC 9111 §5.1", Should, "An Age that is no number is ignored.", All(&[
        Age("age: -1", 0, 0), Age("age: 1.5", 0, 0), Age("age: abc", 0, 0), Age("age: ", 0, 0), Age("age: \"7\"", 0, 0),
    ])),
    row("RFC 9111 §5.1", Must, "An Age from 2^31 on saturates.", All(&[
        Age("age: 2147483648", 0, 2_147_483_648),
        Age("age: 99999999999999999999", 0, 2_147_483_648),
    ])),
    row("RFC 9111 §5.1", Rule, "Date and Expires are those of the origin, whatever the age.", Serves(Config::default, &[
        get("").origin(200, "date: @-5\nexpires: @60", ""),
        get("").later(10).gives(&[Has("date: @-5"), Has("expires: @60"), Has("age: 15")]),
    ])),
    row("RFC 9111 §5.3", Must, "Expires that is no date is in the past.", All(&[
        Lifetime("expires: 0\netag: \"1\"", 0),
        Lifetime("expires: -1\netag: \"1\"", 0),
        Lifetime("expires: \netag: \"1\"", 0),
        Lifetime("expires: Sun, 06 Nov 2022 13:00:00 UTC\netag: \"1\"", 0),
        Lifetime("expires: Sun, 06 Nov 2022 13:00:00 AEST\netag: \"1\"", 0),
        Lifetime("expires: Sun, 06-Nov-2022 13:00:00 GMT\netag: \"1\"", 0),
        Lifetime("expires: Sun 06 Nov 2022 13:00:00 GMT\netag: \"1\"", 0),
        Lifetime("expires: Sun,  06 Nov 2022 13:00:00 GMT\netag: \"1\"", 0),
        Lifetime("expires: Sun, 06 Nov 2022 13:0:00 GMT\netag: \"1\"", 0),
        Lifetime("expires: Sun, 06 Nov 22 13:00:00 GMT\netag: \"1\"", 0),
        Lifetime("expires: 06.11.22 13:00\netag: \"1\"", 0),
    ])),
    row("RFC 9111 §5.3", Choice, "Several Expires lines are in the past.", Lifetime("expires: Sun, 06 Nov 2022 13:00:00 GMT\nexpires: Sun, 06 Nov 2022 13:00:00 GMT\netag: \"1\"", 0)),
    row("RFC 9111 §5.3", Rule, "Expires before Date is in the past.", Lifetime("expires: Sun, 06 Nov 2022 11:00:00 GMT\netag: \"1\"", 0)),
    row("RFC 9111 §5.3", Rule, "Without a Date, or with one that is none, the time of receipt counts.", All(&[
        Lifetime("expires: Sun, 06 Nov 2022 12:01:00 GMT", 60),
        Lifetime("date: today\nexpires: Sun, 06 Nov 2022 12:01:00 GMT", 60),
    ])),
    row("RFC 9111 §5.3", Rule, "All three forms of dates are read.", All(&[
        Lifetime("expires: Sun, 06 Nov 2022 12:01:00 GMT", 60),
        Lifetime("expires: Sunday, 06-Nov-22 12:01:00 GMT", 60),
        Lifetime("expires: Sun Nov  6 12:01:00 2022", 60),
    ])),
    row("RFC 9111 §5.3", Must, "A date beyond any clock is as far ahead as the cache can say.", Lifetime("expires: Fri, 31 Dec 9999 23:59:59 GMT", 2_147_483_648)),
    row("RFC 8246 §2.1", Should, "immutable: a fresh response is not validated for a request's max-age, as a reload sends it.", All(&[
        Decides("cache-control: max-age=0", "cache-control: max-age=60, immutable", 5, HIT),
        Decides("cache-control: max-age=0", "cache-control: max-age=60", 5, ASKED),
    ])),
    row("RFC 8246 §2.1", Must, "immutable: no-cache of a request still validates.", Decides("cache-control: no-cache", "cache-control: max-age=60, immutable", 5, ASKED)),
    row("RFC 8246 §2", Rule, "immutable: nothing is said of a stale response.", Decides("", "cache-control: max-age=60, immutable", 60, VALIDATE)),
    row("RFC 9213 §2.2", Must, "The first field of the target list that is valid and not empty counts.", All(&[
        Lifetime("verve-cache-control: max-age=5\ncdn-cache-control: max-age=9\ncache-control: max-age=60", 5),
        Lifetime("verve-cache-control: \ncdn-cache-control: max-age=9\ncache-control: max-age=60", 9),
        Lifetime("verve-cache-control: max-age=\"5\"\ncdn-cache-control: max-age=9", 9),
    ])),
    row("RFC 9213 §2.2", Must, "Beside a targeted field Cache-Control and Expires do not count.", All(&[
        Stores("", 200, "cdn-cache-control: max-age=9\ncache-control: no-store"),
        Stores("", 200, "cdn-cache-control: max-age=9\ncache-control: private"),
        Lifetime("cdn-cache-control: max-age=9\nexpires: 0", 9),
        Lifetime("cdn-cache-control: max-age=9\ncache-control: s-maxage=60, max-age=60", 9),
        Refuses("", 200, "cdn-cache-control: foo\nexpires: Sun, 06 Nov 2022 13:00:00 GMT", Refusal::NoLifetime),
        Refuses("", 200, "cdn-cache-control: public\ncache-control: max-age=60", Refusal::NoLifetime),
    ])),
    row("RFC 9213 §2.2", Must, "max-age, must-revalidate, no-store, no-cache and private have their meaning in a targeted field.", All(&[
        Lifetime("cdn-cache-control: max-age=9", 9),
        Decides("", "cdn-cache-control: max-age=9, must-revalidate, stale-while-revalidate=60", 10, VALIDATE),
        Refuses("", 200, "cdn-cache-control: no-store\ncache-control: max-age=60", Refusal::NoStore),
        Decides("", "cdn-cache-control: max-age=9, no-cache\netag: \"1\"", 0, VALIDATE),
        Refuses("", 200, "cdn-cache-control: private\ncache-control: max-age=60", Refusal::Private),
        Stores("", 200, "cdn-cache-control: private=\"x-a\", max-age=9"),
    ])),
    row("RFC 9213 §2.2", Should, "Other directives count too: s-maxage, stale-while-revalidate, must-understand.", All(&[
        Lifetime("cdn-cache-control: max-age=9, s-maxage=5", 5),
        Decides("", "cdn-cache-control: max-age=9, stale-while-revalidate=60", 10, Decision::Stale { refresh: true }),
        Stores("", 200, "cdn-cache-control: max-age=9, no-store, must-understand"),
    ])),
    row("RFC 9213 §2.2", Must, "Age counts as ever.", Decides("", "cdn-cache-control: max-age=9\nage: 9\netag: \"1\"", 0, VALIDATE)),
    row("RFC 9213 §2.1", Should, "A targeted field that is empty or no structured dictionary is ignored.", All(&[
        Lifetime("cdn-cache-control: \ncache-control: max-age=60", 60),
        Lifetime("cdn-cache-control: max-age=9,\ncache-control: max-age=60", 60),
        Lifetime("cdn-cache-control: MAX-AGE=9\ncache-control: max-age=60", 60),
        Lifetime("cdn-cache-control: max-age =9\ncache-control: max-age=60", 60),
        Lifetime("cdn-cache-control: max-age= 9\ncache-control: max-age=60", 60),
        Lifetime("cdn-cache-control: max-age=9 foo\ncache-control: max-age=60", 60),
        Lifetime("cdn-cache-control: max-age=9, &\ncache-control: max-age=60", 60),
    ])),
    row("RFC 9213 §2.1", Should, "Directives of a wrong type are not consumed; here the whole field is ignored.", All(&[
        Lifetime("cdn-cache-control: max-age=\"9\"\ncache-control: max-age=60", 60),
        Lifetime("cdn-cache-control: max-age=9.0\ncache-control: max-age=60", 60),
        Lifetime("cdn-cache-control: max-age\ncache-control: max-age=60", 60),
        Lifetime("cdn-cache-control: max-age=a\ncache-control: max-age=60", 60),
        Lifetime("cdn-cache-control: max-age=(9)\ncache-control: max-age=60", 60),
        Lifetime("cdn-cache-control: max-age=9, no-store=1\ncache-control: max-age=60", 60),
    ])),
    row("RFC 9213 §2.1", Must, "Parameters of directives are ignored.", Lifetime("cdn-cache-control: max-age=9;a=1;b\ncache-control: max-age=60", 9)),
    row("RFC 9213 §2.1", Rule, "Several lines are one dictionary, in which the last of a directive counts.", Lifetime("cdn-cache-control: max-age=9\ncdn-cache-control: max-age=5", 5)),
    row("RFC 9213 §2.2", Must, "A field that is not on the target list changes nothing.", Serves(no_targets, &[
        get("").origin(200, "cdn-cache-control: max-age=60\ncache-control: max-age=5", "a"),
        get("").later(6).origin(200, "cache-control: max-age=5", "b").gives(&[Body("b")]),
    ])),
    row("RFC 9213 §2.2", Must, "Targeted fields and Cache-Control are passed on as they came.", Serves(Config::default, &[
        get("").origin(200, "cdn-cache-control: max-age=60\ncache-control: no-store\nother-cache-control: foo", ""),
        get("").gives(&[Has("cdn-cache-control: max-age=60"), Has("cache-control: no-store"), Has("other-cache-control: foo")]),
    ])),
];
