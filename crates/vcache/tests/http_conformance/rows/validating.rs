//! Validation, in both directions, and what it makes of the stored response: RFC 9111 §3.2, §4.3,
//! RFC 9110 §13.

use crate::cache::Config;

use crate::row::Check::{All, Asks, LearnsNothing, Merges, MergesHead, NotModified, Serves};
use crate::row::Level::{Choice, May, Must, Rule, Should};
use crate::row::{Row, row};
use crate::script::Expect::{Asked, AskedWithout, Body, Has, HasAll, Lacks, Status};
use crate::script::{get, step};

const TAGGED: &str = "cache-control: max-age=10\netag: \"1\"";
const DATED: &str = "last-modified: Sun, 06 Nov 2022 10:00:00 GMT";

#[rustfmt::skip]
pub(crate) const ROWS: &[Row] = &[
    row("RFC 9111 §4.3.1", Must, "The stored entity tag is sent as If-None-Match, weak ones too.", All(&[
        Asks("", "etag: \"1\"", "if-none-match: \"1\""),
        Asks("", "etag: W/\"1\"", "if-none-match: W/\"1\""),
    ])),
    row("RFC 9111 §4.3.1", Should, "The stored Last-Modified is sent as If-Modified-Since, as it came.", All(&[
        Asks("", DATED, "if-modified-since: Sun, 06 Nov 2022 10:00:00 GMT"),
        Asks("", "etag: \"1\"\nlast-modified: Sunday, 06-Nov-22 10:00:00 GMT", "if-none-match: \"1\"\nif-modified-since: Sunday, 06-Nov-22 10:00:00 GMT"),
    ])),
    row("RFC 9111 §4.3.1", May, "The client's entity tags are sent with the stored one.", All(&[
        Asks("if-none-match: \"2\", W/\"3\"", "etag: \"1\"", "if-none-match: \"1\", \"2\", W/\"3\""),
        Asks("if-none-match: \"1\", \"2\"", "etag: \"1\"", "if-none-match: \"1\", \"2\""),
        Asks("if-none-match: *", "etag: \"1\"", "if-none-match: \"1\""),
    ])),
    row("RFC 9111 §4.3.1", Choice, "Where no tag is stored the client's are not sent: the origin would ignore the stored date beside them.", Asks("if-none-match: \"2\"", DATED, "if-modified-since: Sun, 06 Nov 2022 10:00:00 GMT")),
    row("RFC 9111 §4.3.1", Must, "The client's date is not sent in place of a stored validator.", Asks("if-modified-since: Sun, 06 Nov 2022 11:00:00 GMT", "etag: \"1\"", "if-none-match: \"1\"")),
    row("RFC 9111 §4.3.1", Rule, "The whole is asked for, whatever part the client wants.", Asks("range: bytes=0-1\nif-range: \"1\"\naccept: a", "etag: \"1\"", "accept: a\nif-none-match: \"1\"")),
    row("RFC 9111 §4.3.1", Must, "The fields that Vary names are sent as the client has them.", Serves(Config::default, &[
        get("foo: 1").origin(200, "cache-control: max-age=10\netag: \"1\"\nvary: foo", "a"),
        get("foo: 1").later(11).origin(304, "etag: \"1\"", "").gives(&[Asked("foo: 1"), Asked("if-none-match: \"1\"")]),
    ])),
    row("RFC 9111 §4.3.2", Should, "If-None-Match of a client is answered from a fresh response.", Serves(Config::default, &[
        get("").origin(200, TAGGED, "a"),
        get("if-none-match: \"1\"").gives(&[Status(304), Body(""), Has("etag: \"1\"")]),
        get("if-none-match: \"2\"").gives(&[Status(200), Body("a")]),
    ])),
    row("RFC 9111 §4.3.2", May, "Where nothing is stored that could be validated, the whole is asked for in place of the client's precondition, which is answered from what comes.", All(&[
        Serves(Config::default, &[
            get("if-none-match: \"1\"").origin(200, TAGGED, "a").gives(&[Status(304), Body(""), AskedWithout("if-none-match"), Has("etag: \"1\""), Has("cache-status: Verve; fwd=uri-miss; fwd-status=200; stored")]),
            get("").gives(&[Body("a")]),
            get("if-none-match: \"1\"").gives(&[Status(304)]),
        ]),
        Serves(Config::default, &[
            get("if-none-match: \"2\"").origin(200, TAGGED, "a").gives(&[Status(200), Body("a")]),
        ]),
        Serves(Config::default, &[
            get("if-modified-since: Sun, 06 Nov 2022 11:00:00 GMT").origin(200, "cache-control: max-age=60\nlast-modified: Sun, 06 Nov 2022 10:00:00 GMT", "a").gives(&[Status(304), AskedWithout("if-modified-since")]),
            get("").gives(&[Body("a")]),
        ]),
    ])),
    row("RFC 9111 §4.3.2", Choice, "After an answer that may not be shared the client's precondition is the origin's (`hit_for_miss`).", Serves(Config::default, &[
        get("if-none-match: \"1\"").origin(200, "cache-control: private\netag: \"1\"", "a").gives(&[Status(200), Body("a"), AskedWithout("if-none-match")]),
        get("if-none-match: \"1\"").origin(304, "cache-control: private\netag: \"1\"", "").gives(&[Status(304), Asked("if-none-match: \"1\"")]),
    ])),
    row("RFC 9111 §4.3.2", Must, "If-None-Match is compared weakly, member by member; * matches what there is.", All(&[
        NotModified("if-none-match: \"1\"", 200, "etag: \"1\"", true),
        NotModified("if-none-match: W/\"1\"", 200, "etag: \"1\"", true),
        NotModified("if-none-match: \"1\"", 200, "etag: W/\"1\"", true),
        NotModified("if-none-match: \"0\", \"1\"", 200, "etag: \"1\"", true),
        NotModified("if-none-match: \"0\"\nif-none-match: \"1\"", 200, "etag: \"1\"", true),
        NotModified("if-none-match: \"0\", \"2\"", 200, "etag: \"1\"", false),
        NotModified("if-none-match: *", 200, "etag: \"1\"", true),
        NotModified("if-none-match: *", 200, "", true),
        NotModified("if-none-match: \"a, 1\"", 200, "etag: \"1\"", false),
        NotModified("if-none-match: 1", 200, "etag: \"1\"", false),
        NotModified("if-none-match: \"1\"", 200, DATED, false),
    ])),
    row("RFC 9111 §4.3.2", Rule, "If-Modified-Since is compared with Last-Modified, in all forms of dates.", All(&[
        NotModified("if-modified-since: Sun, 06 Nov 2022 10:00:00 GMT", 200, DATED, true),
        NotModified("if-modified-since: Sun, 06 Nov 2022 11:00:00 GMT", 200, DATED, true),
        NotModified("if-modified-since: Sun, 06 Nov 2022 09:59:59 GMT", 200, DATED, false),
        NotModified("if-modified-since: Sunday, 06-Nov-22 10:00:00 GMT", 200, DATED, true),
        NotModified("if-modified-since: Sun Nov  6 10:00:00 2022", 200, DATED, true),
    ])),
    row("RFC 9111 §4.3.2", Rule, "Without Last-Modified, Date is compared; without both the time of receipt, which is stored as Date.", All(&[
        NotModified("if-modified-since: Sun, 06 Nov 2022 10:00:00 GMT", 200, "date: Sun, 06 Nov 2022 10:00:00 GMT", true),
        NotModified("if-modified-since: Sun, 06 Nov 2022 10:00:00 GMT", 200, "date: Sun, 06 Nov 2022 10:00:01 GMT", false),
        NotModified("if-modified-since: Sun, 06 Nov 2022 10:00:00 GMT", 200, "last-modified: none\ndate: Sun, 06 Nov 2022 10:00:00 GMT", false),
    ])),
    row("RFC 9110 §13.1.3", Must, "If-Modified-Since is ignored beside If-None-Match.", All(&[
        NotModified("if-none-match: \"2\"\nif-modified-since: Sun, 06 Nov 2022 11:00:00 GMT", 200, "etag: \"1\"\nlast-modified: Sun, 06 Nov 2022 10:00:00 GMT", false),
        NotModified("if-none-match: \"1\"\nif-modified-since: Sun, 06 Nov 2022 09:00:00 GMT", 200, "etag: \"1\"\nlast-modified: Sun, 06 Nov 2022 10:00:00 GMT", true),
    ])),
    row("RFC 9110 §13.1.3", Must, "If-Modified-Since that is no date, or is there twice, is ignored.", All(&[
        NotModified("if-modified-since: tomorrow", 200, DATED, false),
        NotModified("if-modified-since: Sun, 06 Nov 2022 11:00:00 GMT\nif-modified-since: Sun, 06 Nov 2022 11:00:00 GMT", 200, DATED, false),
    ])),
    row("RFC 9110 §13.2.1", Must, "Preconditions are ignored where the answer would be no success.", All(&[
        NotModified("if-none-match: \"1\"", 404, "etag: \"1\"", false),
        NotModified("if-modified-since: Sun, 06 Nov 2022 11:00:00 GMT", 301, DATED, false),
    ])),
    row("RFC 9110 §13.1.1", Must, "If-Match is the origin's to evaluate: the request passes by the store.", Serves(Config::default, &[
        get("").origin(200, TAGGED, "a"),
        get("if-match: \"2\"").origin(412, "", "").gives(&[Status(412), Asked("if-match: \"2\"")]),
    ])),
    row("RFC 9110 §13.1.4", Must, "So is If-Unmodified-Since.", Serves(Config::default, &[
        get("").origin(200, TAGGED, "a"),
        get("if-unmodified-since: @-60").origin(200, "", "b").gives(&[Body("b"), Asked("if-unmodified-since: @-60")]),
    ])),
    row("RFC 9110 §15.4.5", Must, "A 304 has Cache-Control, Content-Location, Date, ETag, Expires and Vary of the stored response.", Serves(Config::default, &[
        get("").origin(200, "cache-control: max-age=10\netag: \"1\"\ncontent-location: /x\ndate: @0\nexpires: @5\nvary: foo\nx-other: 1", "a"),
        get("if-none-match: \"1\"").gives(&[Status(304), Has("cache-control: max-age=10"), Has("content-location: /x"), Has("date: @0"), Has("etag: \"1\""), Has("expires: @5"), Has("vary: foo"), Has("age: 0")]),
    ])),
    row("RFC 9110 §15.4.5", Choice, "A 304 to a request without a precondition means nothing: 502.", Serves(Config::default, &[
        get("").origin(304, "etag: \"1\"", "").gives(&[Status(502)]),
    ])),
    row("RFC 9110 §15.4.5", Should, "A 304 has no other representation metadata, but Last-Modified where there is no ETag.", All(&[
        Serves(Config::default, &[
            get("").origin(200, "cache-control: max-age=10\netag: \"1\"\nlast-modified: @-60\ncontent-type: text/a\ncontent-language: en", "a"),
            get("if-none-match: \"1\"").gives(&[Status(304), Lacks("last-modified"), Lacks("content-type"), Lacks("content-language"), Lacks("content-length")]),
        ]),
        Serves(Config::default, &[
            get("").origin(200, "cache-control: max-age=10\nlast-modified: @-60", "a"),
            get("if-modified-since: @-60").gives(&[Status(304), Has("last-modified: @-60")]),
        ]),
    ])),
    row("RFC 9111 §4.3.3", Rule, "A 304 confirms the stored response, and the client gets it.", Serves(Config::default, &[
        get("").origin(200, TAGGED, "a"),
        get("").later(11).origin(304, TAGGED, "").gives(&[Status(200), Body("a")]),
        get("").gives(&[Body("a")]),
    ])),
    row("RFC 9111 §4.3.3", Must, "A full answer replaces the stored response, and goes to the client.", Serves(Config::default, &[
        get("").origin(200, TAGGED, "a"),
        get("").later(11).origin(200, "cache-control: max-age=10\netag: \"2\"", "b").gives(&[Body("b")]),
        get("").gives(&[Body("b"), Has("etag: \"2\"")]),
    ])),
    row("RFC 9111 §4.3.3", Must, "A 304 that confirms the client's tag and not ours goes to the client, and the store stays as it is.", Serves(Config::default, &[
        get("").origin(200, TAGGED, "a"),
        get("if-none-match: \"2\"").later(11).origin(304, "etag: \"2\"", "").gives(&[Status(304), Has("etag: \"2\""), Asked("if-none-match: \"1\", \"2\"")]),
        get("").origin(304, TAGGED, "").gives(&[Status(200), Body("a"), Asked("if-none-match: \"1\"")]),
    ])),
    row("RFC 9111 §4.3.3", Rule, "After a confirmation the client's own precondition is answered.", Serves(Config::default, &[
        get("").origin(200, TAGGED, "a"),
        get("if-none-match: \"1\"").later(11).origin(304, TAGGED, "").gives(&[Status(304)]),
    ])),
    row("RFC 9111 §4.3.4", Must, "A 304 with a strong entity tag updates only what has the same strong tag.", All(&[
        Merges("etag: \"1\"", "etag: \"1\"", Some("etag: \"1\"")),
        Merges("etag: \"1\"", "etag: \"2\"", None),
        Merges("etag: W/\"1\"", "etag: \"1\"", None),
        Merges("x-a: 1", "etag: \"1\"", None),
    ])),
    row("RFC 9111 §4.3.4", Must, "A 304 with a weak validator updates what it matches.", All(&[
        Merges("etag: W/\"1\"", "etag: W/\"1\"", Some("etag: W/\"1\"")),
        Merges("etag: \"1\"", "etag: W/\"1\"", Some("etag: W/\"1\"")),
        Merges("etag: W/\"1\"", "etag: W/\"2\"", None),
        Merges(DATED, DATED, Some(DATED)),
        Merges(DATED, "last-modified: Sun, 06 Nov 2022 11:00:00 GMT", None),
    ])),
    row("RFC 9111 §4.3.4", Choice, "A 304 without any validator is taken for the one response that was validated; the RFC would have it only where that has none either.", All(&[
        Merges("etag: \"1\"", "x-a: 1", Some("etag: \"1\"\nx-a: 1")),
        Merges(DATED, "", Some(DATED)),
    ])),
    row("RFC 9111 §4.3.4", Must, "A 304 with a strong entity tag updates every stored response with it, other variants too.", Serves(Config::default, &[
        get("foo: 1").origin(200, "cache-control: max-age=10\netag: \"1\"\nvary: foo\nx-a: 1", "a"),
        get("foo: 2").origin(200, "cache-control: max-age=10\netag: \"1\"\nvary: foo\nx-a: 1", "b"),
        get("foo: 3").origin(200, "cache-control: max-age=10\netag: \"3\"\nvary: foo", "c"),
        get("foo: 1").later(11).origin(304, "cache-control: max-age=60\netag: \"1\"\nx-a: 2", "").gives(&[Body("a")]),
        get("foo: 2").later(5).gives(&[Body("b"), Has("x-a: 2"), Has("age: 5")]),
        get("foo: 3").origin(304, "etag: \"3\"", "").gives(&[Body("c")]),
    ])),
    row("RFC 9111 §4.3.4", Choice, "A 304 about something else leaves the store as it is; the whole is asked for without a precondition.", Serves(Config::default, &[
        get("").origin(200, "cache-control: max-age=10\netag: \"1\"", "a"),
        get("").later(11).origin(304, "etag: \"9\"", "").gives(&[AskedWithout("if-none-match")]),
    ])),
    row("RFC 9111 §3.2", Must, "An update adds fields, replaces those that are there, and keeps repeated lines.", All(&[
        Merges("x-a: 1\nx-b: 1", "x-a: 2", Some("x-b: 1\nx-a: 2")),
        Merges("x-a: 1", "x-b: 1\nx-b: 2", Some("x-a: 1\nx-b: 1\nx-b: 2")),
        Merges("x-a: 1\nx-a: 2", "x-a: 3", Some("x-a: 3")),
    ])),
    row("RFC 9111 §3.2", Must, "An update does not touch fields of one hop.", All(&[
        Merges("x-a: 1", "connection: x-a\nx-a: 2", Some("x-a: 1")),
        Merges("x-a: 1", "proxy-authenticate: x\nkeep-alive: 1", Some("x-a: 1")),
    ])),
    row("RFC 9111 §3.2", Must, "An update does not touch what describes the stored content: Content-Encoding, Content-Type, Content-Range.", All(&[
        Merges("content-type: a/b", "content-type: c/d", Some("content-type: a/b")),
        Merges("x-a: 1", "content-encoding: gzip\ncontent-range: bytes 0-1/2", Some("x-a: 1")),
    ])),
    row("RFC 9111 §3.2", Must, "An update does not touch Content-Length.", Merges("content-length: 5", "content-length: 0", Some("content-length: 5"))),
    row("RFC 9111 §3.2", Rule, "An update with a lifetime extends that of the stored response; its Age counts anew.", Serves(Config::default, &[
        get("").origin(200, "cache-control: max-age=10\netag: \"1\"\nage: 5", "a"),
        get("").later(6).origin(304, "cache-control: max-age=60\netag: \"1\"", "").gives(&[Has("age: 0")]),
        get("").later(50).gives(&[Body("a"), Has("age: 50"), Has("cache-control: max-age=60")]),
    ])),
    row("RFC 9111 §3.2", Rule, "An update that forbids to store takes the stored response out.", Serves(Config::default, &[
        get("").origin(200, TAGGED, "a"),
        get("").later(11).origin(304, "cache-control: no-store\netag: \"1\"", "").gives(&[Body("a")]),
        get("").origin(200, TAGGED, "b").gives(&[Body("b"), AskedWithout("if-none-match")]),
    ])),
    row("RFC 9111 §3.2", Rule, "Fields that the update brings go to this client and the next ones.", Serves(Config::default, &[
        get("").origin(200, "cache-control: max-age=10\netag: \"1\"\nx-a: 1", "a"),
        get("").later(11).origin(304, "cache-control: max-age=10\netag: \"1\"\nx-a: 2\nx-b: 1\nx-b: 2", "").gives(&[Has("x-a: 2"), HasAll("x-b", &["1", "2"])]),
        get("").gives(&[Has("x-a: 2"), HasAll("x-b", &["1", "2"])]),
    ])),
    row("RFC 9111 §4.3.5", Should, "The answer to a HEAD with the same validators and length updates the stored response.", All(&[
        MergesHead("etag: \"1\"\ncontent-length: 5", "etag: \"1\"\ncontent-length: 5\nx-a: 1", Some("etag: \"1\"\ncontent-length: 5\nx-a: 1")),
        MergesHead("content-length: 5", "content-length: 5\nx-a: 1", Some("content-length: 5\nx-a: 1")),
        Serves(Config::default, &[
            get("").origin(200, "cache-control: max-age=10\netag: \"1\"\ncontent-length: 1", "a"),
            step("HEAD /", "").later(11).origin(200, "cache-control: max-age=60\netag: \"1\"\nx-a: 1", ""),
            get("").later(30).gives(&[Body("a"), Has("x-a: 1"), Has("age: 30")]),
        ]),
    ])),
    row("RFC 9111 §4.3.5", Choice, "Without any validator or length it says nothing, and does not make old content fresh.", All(&[
        LearnsNothing("etag: \"1\"\ncontent-length: 5", "x-a: 1"),
        LearnsNothing("x-a: 1", "cache-control: max-age=600"),
        Serves(Config::default, &[
            get("").origin(200, "cache-control: max-age=10", "a"),
            step("HEAD /", "").later(11).origin(200, "cache-control: max-age=600", ""),
            get("").origin(200, TAGGED, "b").gives(&[Body("b")]),
        ]),
    ])),
    row("RFC 9111 §4.3.5", Should, "With another validator or length the stored response is out of date; here it is taken out.", All(&[
        MergesHead("etag: \"1\"", "etag: \"2\"", None),
        MergesHead("x-a: 1", "etag: \"2\"", None),
        MergesHead(DATED, "last-modified: Sun, 06 Nov 2022 11:00:00 GMT", None),
        MergesHead("content-length: 5", "content-length: 6", None),
        Serves(Config::default, &[
            get("").origin(200, "cache-control: max-age=10, stale-while-revalidate=60\netag: \"1\"", "a"),
            step("HEAD /", "cache-control: no-cache").later(11).origin(200, "etag: \"2\"", ""),
            get("").origin(200, TAGGED, "b").gives(&[Body("b")]),
        ]),
    ])),
];
