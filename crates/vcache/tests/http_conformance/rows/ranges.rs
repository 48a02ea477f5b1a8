//! Parts of responses: RFC 9110 §13.1.5, §14, §15.3.7, §15.5.17, RFC 9111 §3.3, §3.4.

use crate::cache::Config;

use crate::row::Check::{All, Form, Joins, Serves};
use crate::row::Level::{Choice, May, Must, Rule, Should};
use crate::row::{Row, row};
use crate::script::Expect::{Asked, AskedWithout, Body, BrokenOff, Has, Holds, Lacks, Status};
use crate::script::get;

const FRESH: &str = "cache-control: max-age=60\netag: \"1\"\ncontent-type: text/a";
const PART: &str = "cache-control: max-age=60\netag: \"1\"\ncontent-range: bytes 0-4/10";
const REST: &str = "cache-control: max-age=60\netag: \"1\"\ncontent-range: bytes 5-9/10";
const SENT: &str = "etag: \"1\"\nlast-modified: Sun, 06 Nov 2022 10:00:00 GMT\ndate: Sun, 06 Nov 2022 12:00:00 GMT";

fn no_ranges() -> Config {
    Config { max_ranges: 0, ..Config::default() }
}

fn no_parts() -> Config {
    Config { store_parts: false, ..Config::default() }
}

#[rustfmt::skip]
pub(crate) const ROWS: &[Row] = &[
    row("RFC 9110 §14.1.2", Rule, "From a to b, both included; b beyond the end is the end.", All(&[
        Form("range: bytes=2-4", 200, "", 10, "206 2-4"),
        Form("range: bytes=0-0", 200, "", 10, "206 0-0"),
        Form("range: bytes=8-99", 200, "", 10, "206 8-9"),
        Form("range: bytes=0-99999999999999999999999", 200, "", 10, "206 0-9"),
    ])),
    row("RFC 9110 §14.1.2", Rule, "From a to the end.", Form("range: bytes=7-", 200, "", 10, "206 7-9")),
    row("RFC 9110 §14.1.2", Rule, "The last n bytes; all when there are fewer.", All(&[
        Form("range: bytes=-3", 200, "", 10, "206 7-9"),
        Form("range: bytes=-99", 200, "", 10, "206 0-9"),
    ])),
    row("RFC 9110 §14.2", Must, "Range counts for GET only.", Form("HEAD range: bytes=0-1", 200, "", 10, "whole")),
    row("RFC 9110 §14.2", Must, "Range is ignored with an unknown unit.", Form("range: lines=0-1", 200, "", 10, "whole")),
    row("RFC 9110 §14.1", Rule, "Names of units are read in any letter case.", Form("range: BYTES=0-1", 200, "", 10, "206 0-1")),
    row("RFC 9110 §14.2", May, "A Range that is malformed is ignored.", All(&[
        Form("range: bytes=4-2", 200, "", 10, "whole"),
        Form("range: bytes=a-b", 200, "", 10, "whole"),
        Form("range: bytes=0-1,x", 200, "", 10, "whole"),
        Form("range: bytes=", 200, "", 10, "whole"),
        Form("range: bytes 0-1", 200, "", 10, "whole"),
        Form("range: bytes=0-1\nrange: bytes=0-1", 200, "", 10, "whole"),
    ])),
    row("RFC 9110 §14.2", May, "A Range with more than 16 ranges is ignored (`max_ranges`).", All(&[
        Form("range: bytes=0-0,100-100,200-200,300-300,400-400,500-500,600-600,700-700,800-800,900-900,1000-1000,1100-1100,1200-1200,1300-1300,1400-1400,1500-1500,1600-1600", 200, "", 9999, "whole"),
        Form("range: bytes=0-0,0-0,0-0,0-0,0-0,0-0,0-0,0-0,0-0,0-0,0-0,0-0,0-0,0-0,0-0,0-0", 200, "", 9999, "206 0-0"),
    ])),
    row("RFC 9110 §14.2", Must, "Range counts where the answer would be 200.", All(&[
        Form("range: bytes=0-1", 404, "", 10, "whole"),
        Form("range: bytes=0-1", 203, "", 10, "whole"),
    ])),
    row("RFC 9110 §14.2", Must, "Preconditions go before Range.", Form("range: bytes=0-1\nif-none-match: \"1\"", 200, "etag: \"1\"", 10, "304")),
    row("RFC 9110 §15.5.17", Should, "Where no range has a byte in the response: 416.", All(&[
        Form("range: bytes=10-", 200, "", 10, "416"),
        Form("range: bytes=10-20,30-", 200, "", 10, "416"),
        Form("range: bytes=-0", 200, "", 10, "416"),
        Form("range: bytes=99999999999999999999-", 200, "", 10, "416"),
    ])),
    row("RFC 9110 §14.1.2", Rule, "Ranges without a byte are left out beside those that have some.", Form("range: bytes=20-30,2-3", 200, "", 10, "206 2-3")),
    row("RFC 9110 §14.2", Choice, "An empty response has no parts: the whole is sent.", Form("range: bytes=0-1", 200, "", 0, "whole")),
    row("RFC 9110 §15.3.7.2", May, "Ranges that overlap, touch, or leave a gap of at most 80 bytes become one.", All(&[
        Form("range: bytes=0-5,3-9", 200, "", 10, "206 0-9"),
        Form("range: bytes=0-1,2-3", 200, "", 10, "206 0-3"),
        Form("range: bytes=0-9,90-99", 200, "", 1000, "206 0-99"),
        Form("range: bytes=0-9,91-99", 200, "", 1000, "206 0-9,91-99"),
        Form("range: bytes=500-509,0-9,5-600", 200, "", 1000, "206 0-600"),
    ])),
    row("RFC 9110 §15.3.7.2", Should, "Several parts are sent in the order of the request.", Form("range: bytes=500-509,0-9,900-", 200, "", 1000, "206 500-509,0-9,900-999")),
    row("RFC 9110 §13.1.5", Must, "If-Range with an entity tag is compared strongly.", All(&[
        Form("range: bytes=0-1\nif-range: \"1\"", 200, SENT, 10, "206 0-1"),
        Form("range: bytes=0-1\nif-range: \"2\"", 200, SENT, 10, "whole"),
        Form("range: bytes=0-1\nif-range: W/\"1\"", 200, SENT, 10, "whole"),
        Form("range: bytes=0-1\nif-range: W/\"1\"", 200, "etag: W/\"1\"", 10, "whole"),
        Form("range: bytes=0-1\nif-range: \"1\"", 200, "etag: W/\"1\"", 10, "whole"),
        Form("range: bytes=0-1\nif-range: \"1\"", 200, "", 10, "whole"),
    ])),
    row("RFC 9110 §13.1.5", Must, "If-Range with a date must be exactly Last-Modified.", All(&[
        Form("range: bytes=0-1\nif-range: Sun, 06 Nov 2022 10:00:00 GMT", 200, SENT, 10, "206 0-1"),
        Form("range: bytes=0-1\nif-range: Sun, 06 Nov 2022 10:00:01 GMT", 200, SENT, 10, "whole"),
        Form("range: bytes=0-1\nif-range: Sun, 06 Nov 2022 09:59:59 GMT", 200, SENT, 10, "whole"),
        Form("range: bytes=0-1\nif-range: yesterday", 200, SENT, 10, "whole"),
    ])),
    row("RFC 9110 §8.8.2.2", Must, "A date is a strong validator only where Date is at least a second later.", All(&[
        Form("range: bytes=0-1\nif-range: Sun, 06 Nov 2022 10:00:00 GMT", 200, "last-modified: Sun, 06 Nov 2022 10:00:00 GMT\ndate: Sun, 06 Nov 2022 10:00:00 GMT", 10, "whole"),
        Form("range: bytes=0-1\nif-range: Sun, 06 Nov 2022 10:00:00 GMT", 200, "last-modified: Sun, 06 Nov 2022 10:00:00 GMT\ndate: Sun, 06 Nov 2022 10:00:01 GMT", 10, "206 0-1"),
    ])),
    row("RFC 9110 §13.1.5", Must, "If-Range without Range is ignored.", Serves(Config::default, &[
        get("").origin(200, FRESH, "0123456789"),
        get("if-range: \"2\"").gives(&[Status(200), Body("0123456789")]),
    ])),
    row("RFC 9110 §15.3.7", Must, "A 206 has Content-Range and the length of the part, and the fields of the whole.", Serves(Config::default, &[
        get("").origin(200, "cache-control: max-age=60\netag: \"1\"\ndate: @0\nexpires: @5\nvary: foo\ncontent-location: /x\ncontent-type: text/a\nx-a: 1", "0123456789"),
        get("range: bytes=2-4").later(3).gives(&[
            Status(206), Body("234"), Has("content-range: bytes 2-4/10"), Has("content-length: 3"), Has("age: 3"), Has("date: @0"),
            Has("cache-control: max-age=60"), Has("etag: \"1\""), Has("expires: @5"), Has("vary: foo"), Has("content-location: /x"), Has("content-type: text/a"), Has("x-a: 1"),
        ]),
    ])),
    row("RFC 9110 §15.3.7", Choice, "With If-Range the part keeps all fields, although the RFC would save some: clients read Content-Type in every 206.", Serves(Config::default, &[
        get("").origin(200, FRESH, "0123456789"),
        get("range: bytes=2-4\nif-range: \"1\"").gives(&[Status(206), Has("content-type: text/a")]),
    ])),
    row("RFC 9110 §15.3.7", Rule, "A digest of the content is not that of a part, and is left out.", Serves(Config::default, &[
        get("").origin(200, "cache-control: max-age=60\ncontent-digest: sha-256=:AA==:\nrepr-digest: sha-256=:AA==:", "0123456789"),
        get("range: bytes=2-4").gives(&[Status(206), Lacks("content-digest"), Has("repr-digest: sha-256=:AA==:")]),
    ])),
    row("RFC 9110 §15.3.7.2", Must, "Several parts are multipart/byteranges, each with its Content-Range, and none for the whole.", Serves(Config::default, &[
        get("").origin(200, FRESH, "0123456789abcdefghijklmnopqrstuvwxyz0123456789abcdefghijklmnopqrstuvwxyz0123456789abcdefghijklmnopqrstuvwxyz!"),
        get("range: bytes=0-1,-1").gives(&[
            Status(206), Lacks("content-range"), Holds("content-range: bytes 0-1/109\r\n\r\n01\r\n--"), Holds("content-range: bytes 108-108/109\r\n\r\n!\r\n--"),
        ]),
    ])),
    row("RFC 9110 §15.3.7.2", Should, "Each part has the Content-Type that the whole has.", Serves(Config::default, &[
        get("").origin(200, FRESH, "0123456789abcdefghijklmnopqrstuvwxyz0123456789abcdefghijklmnopqrstuvwxyz0123456789abcdefghijklmnopqrstuvwxyz!"),
        get("range: bytes=0-1,-1").gives(&[Holds("content-type: text/a\r\ncontent-range: bytes 0-1/109")]),
    ])),
    row("RFC 9110 §15.3.7.2", Must, "One range is never answered with a multipart.", Serves(Config::default, &[
        get("").origin(200, FRESH, "0123456789"),
        get("range: bytes=0-1, 20-30").gives(&[Status(206), Has("content-range: bytes 0-1/10"), Has("content-type: text/a"), Body("01")]),
    ])),
    row("RFC 9110 §15.5.17", Should, "A 416 has Content-Range with the length of the whole.", Serves(Config::default, &[
        get("").origin(200, FRESH, "0123456789"),
        get("range: bytes=20-").gives(&[Status(416), Body(""), Has("content-range: bytes */10"), Has("etag: \"1\""), Has("content-length: 0")]),
    ])),
    row("RFC 9110 §14.2", Choice, "With `max_ranges = 0` every Range is answered with the whole that is stored.", Serves(no_ranges, &[
        get("").origin(200, FRESH, "0123456789"),
        get("range: bytes=0-1").gives(&[Status(200), Body("0123456789")]),
    ])),
    row("RFC 9111 §4.3.1", Choice, "A stale response is validated as a whole for a request with Range, and the part cut from it.", Serves(Config::default, &[
        get("").origin(200, "cache-control: max-age=10\netag: \"1\"", "0123456789"),
        get("range: bytes=0-1").later(11).origin(304, "cache-control: max-age=10\netag: \"1\"", "").gives(&[Status(206), Body("01"), AskedWithout("range"), Asked("if-none-match: \"1\"")]),
    ])),
    row("RFC 9111 §3.3", Must, "A stored part never answers a request for the whole.", Serves(Config::default, &[
        get("range: bytes=0-4").origin(206, "cache-control: max-age=60\ncontent-range: bytes 0-4/10", "01234").gives(&[Status(206)]),
        get("").origin(200, FRESH, "0123456789").gives(&[Status(200), Body("0123456789")]),
    ])),
    row("RFC 9111 §3.3", May, "A stored part answers requests for what is in it.", Serves(Config::default, &[
        get("range: bytes=0-4").origin(206, PART, "01234"),
        get("range: bytes=0-4").gives(&[Status(206), Body("01234"), Has("content-range: bytes 0-4/10"), Has("content-length: 5")]),
        get("range: bytes=1-2").later(2).gives(&[Status(206), Body("12"), Has("content-range: bytes 1-2/10"), Has("age: 2")]),
    ])),
    row("RFC 9111 §3.3", Must, "It does not answer for what is not in it.", Serves(Config::default, &[
        get("range: bytes=0-4").origin(206, PART, "01234"),
        get("range: bytes=4-5").origin(206, "content-range: bytes 4-5/10", "45").gives(&[Body("45")]),
    ])),
    row("RFC 9111 §3.3", Must, "A part of unknown length answers no request for an end.", Serves(Config::default, &[
        get("range: bytes=5-9").origin(206, "cache-control: max-age=60\netag: \"1\"\ncontent-range: bytes 5-9/*", "56789"),
        get("range: bytes=-2").origin(206, "content-range: bytes 8-9/10", "89"),
        get("range: bytes=5-").origin(206, "content-range: bytes 5-9/10", "56789"),
        get("range: bytes=5-6").gives(&[Body("56"), Has("content-range: bytes 5-6/*")]),
    ])),
    row("RFC 9111 §3.3", Must, "A part whose body is not as long as its Content-Range is not stored.", Serves(Config::default, &[
        get("range: bytes=0-4").origin(206, PART, "012"),
        get("range: bytes=0-1").origin(206, "content-range: bytes 0-1/10", "01"),
    ])),
    row("RFC 9111 §3.3", Must, "Nor one that breaks off.", Serves(Config::default, &[
        get("range: bytes=0-4").cut(206, PART, "012"),
        get("range: bytes=0-1").origin(206, "content-range: bytes 0-1/10", "01"),
    ])),
    row("RFC 9111 §3.3", May, "What came of a 200 with a strong entity tag before it broke off is kept as its beginning, and completed.", All(&[
        Serves(Config::default, &[
            get("").cut(200, "cache-control: max-age=60\netag: \"1\"\ncontent-length: 10", "01234").gives(&[BrokenOff]),
            get("range: bytes=1-2").gives(&[Status(206), Body("12"), Has("content-range: bytes 1-2/10")]),
            get("").origin(206, REST, "56789").gives(&[Status(200), Body("0123456789"), Has("content-length: 10"), Asked("range: bytes=5-"), Asked("if-range: \"1\"")]),
            get("").gives(&[Body("0123456789")]),
        ]),
        Serves(Config::default, &[
            get("").cut(200, FRESH, "01234").gives(&[BrokenOff]),
            get("range: bytes=1-2").gives(&[Status(206), Body("12"), Has("content-range: bytes 1-2/*")]),
            get("range: bytes=-2").origin(206, "content-range: bytes 8-9/10", "89"),
            get("").origin(206, REST, "56789").gives(&[Status(200), Body("0123456789"), Asked("range: bytes=5-")]),
        ]),
        Serves(Config::default, &[
            get("").cut(200, FRESH, "01234"),
            get("").origin(200, "cache-control: max-age=60\netag: \"2\"", "abcdefghij").gives(&[Body("abcdefghij"), Asked("if-range: \"1\"")]),
            get("range: bytes=0-1").gives(&[Body("ab")]),
        ]),
    ])),
    row("RFC 9111 §3.3", Must, "Nothing is kept of what broke off and has no strong entity tag, or may not be stored.", All(&[
        Serves(Config::default, &[
            get("").cut(200, "cache-control: max-age=60\netag: W/\"1\"", "01234"),
            get("range: bytes=0-1").origin(206, "content-range: bytes 0-1/10", "ab").gives(&[Body("ab")]),
        ]),
        Serves(Config::default, &[
            get("").cut(200, "cache-control: max-age=60, private\netag: \"1\"", "01234"),
            get("").origin(200, FRESH, "0123456789").gives(&[AskedWithout("range"), Body("0123456789")]),
        ]),
        Serves(no_parts, &[
            get("").cut(200, FRESH, "01234"),
            get("").origin(200, FRESH, "0123456789").gives(&[AskedWithout("range"), Body("0123456789")]),
        ]),
    ])),
    row("RFC 9111 §4.2", Must, "A stale part is not used.", Serves(Config::default, &[
        get("range: bytes=0-4").origin(206, PART, "01234"),
        get("range: bytes=0-1").later(61).origin(206, "content-range: bytes 0-1/10", "ab").gives(&[Body("ab")]),
    ])),
    row("RFC 9111 §3.4", Must, "Parts are put together only with the same strong entity tag.", All(&[
        Joins("etag: \"1\"", "etag: \"1\"", true),
        Joins("etag: \"1\"", "etag: \"2\"", false),
        Joins("etag: W/\"1\"", "etag: W/\"1\"", false),
        Joins("etag: \"1\"", "", false),
        Joins("", "", false),
    ])),
    row("RFC 9111 §3.4", May, "Parts that make up the whole are stored as the whole.", Serves(Config::default, &[
        get("range: bytes=0-4").origin(206, PART, "01234"),
        get("range: bytes=5-9").origin(206, REST, "56789"),
        get("").gives(&[Status(200), Body("0123456789"), Has("content-length: 10"), Lacks("content-range")]),
        get("range: bytes=3-6").gives(&[Status(206), Body("3456")]),
    ])),
    row("RFC 9111 §3.4", May, "Parts that touch answer for what is in both.", Serves(Config::default, &[
        get("range: bytes=0-4").origin(206, "cache-control: max-age=60\netag: \"1\"\ncontent-range: bytes 0-4/20", "01234"),
        get("range: bytes=3-9").origin(206, "cache-control: max-age=60\netag: \"1\"\ncontent-range: bytes 3-9/20", "3456789"),
        get("range: bytes=2-7").gives(&[Body("234567")]),
    ])),
    row("RFC 9111 §3.4", Must, "A new part with another tag takes the place of the old one.", Serves(Config::default, &[
        get("range: bytes=0-4").origin(206, PART, "01234"),
        get("range: bytes=5-9").origin(206, "cache-control: max-age=60\netag: \"2\"\ncontent-range: bytes 5-9/10", "fghij"),
        get("range: bytes=0-1").origin(206, "content-range: bytes 0-1/10", "ab").gives(&[Body("ab")]),
    ])),
    row("RFC 9111 §3.4", Must, "Fields of the newer part replace those of the older.", Serves(Config::default, &[
        get("range: bytes=0-4").origin(206, "cache-control: max-age=60\netag: \"1\"\nx-a: 1\nx-b: 1\ncontent-range: bytes 0-4/10", "01234"),
        get("range: bytes=5-9").origin(206, "cache-control: max-age=60\netag: \"1\"\nx-a: 2\ncontent-range: bytes 5-9/10", "56789"),
        get("").gives(&[Has("x-a: 2"), Has("x-b: 1")]),
    ])),
    row("RFC 9111 §3.4", May, "A stored beginning is completed: only the rest is asked for.", Serves(Config::default, &[
        get("range: bytes=0-4").origin(206, PART, "01234"),
        get("").origin(206, REST, "56789").gives(&[Status(200), Body("0123456789"), Has("content-length: 10"), Lacks("content-range"), Asked("range: bytes=5-"), Asked("if-range: \"1\"")]),
        get("").gives(&[Body("0123456789")]),
    ])),
    row("RFC 9111 §3.4", Rule, "If the origin sends the whole in place of the rest, that is the answer.", Serves(Config::default, &[
        get("range: bytes=0-4").origin(206, PART, "01234"),
        get("").origin(200, "cache-control: max-age=60\netag: \"2\"", "abcdefghij").gives(&[Status(200), Body("abcdefghij")]),
        get("").gives(&[Body("abcdefghij")]),
    ])),
    row("RFC 9111 §3.4", Must, "A beginning without a strong entity tag is not completed.", Serves(Config::default, &[
        get("range: bytes=0-4").origin(206, "cache-control: max-age=60\netag: W/\"1\"\ncontent-range: bytes 0-4/10", "01234"),
        get("").origin(200, FRESH, "0123456789").gives(&[AskedWithout("range"), AskedWithout("if-range")]),
    ])),
    row("RFC 9111 §3.3", Choice, "With `store_parts = false` no part is stored.", Serves(no_parts, &[
        get("range: bytes=0-4").origin(206, PART, "01234"),
        get("range: bytes=0-4").origin(206, PART, "01234"),
    ])),
    row("RFC 9111 §3.3", May, "The whole that comes in answer to a request for a part is stored.", Serves(Config::default, &[
        get("range: bytes=0-4").origin(200, FRESH, "0123456789").gives(&[Status(200)]),
        get("").gives(&[Body("0123456789")]),
    ])),
    row("RFC 9110 §15.5.17", Rule, "A 416 of the origin is passed on and not stored.", Serves(Config::default, &[
        get("range: bytes=20-").origin(416, "cache-control: max-age=60\ncontent-range: bytes */10", "").gives(&[Status(416), Asked("range: bytes=20-")]),
        get("").origin(200, FRESH, "0123456789").gives(&[Status(200)]),
    ])),
    row("RFC 9111 §4.4", Must, "Invalidation takes stored parts with it.", Serves(Config::default, &[
        get("range: bytes=0-4").origin(206, PART, "01234"),
        crate::script::step("POST /", "").origin(200, "", ""),
        get("range: bytes=0-1").origin(206, "content-range: bytes 0-1/10", "ab").gives(&[Body("ab")]),
    ])),
];
