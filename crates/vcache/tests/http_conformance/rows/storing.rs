//! What may be stored, and what of it: RFC 9111 §3.

use crate::cache::policy::Refusal;
use crate::cache::{Config, SetCookie};

use crate::row::Check::{All, Omits, Refuses, Serves, Stores, StoresPart};
use crate::row::Level::{Choice, May, Must, Rule, Should};
use crate::row::{Row, row};
use crate::script::Expect::{Has, HasAll, Lacks};
use crate::script::get;

const FRESH: &str = "cache-control: max-age=60";

fn bypassing() -> Config {
    Config { set_cookie: Some(SetCookie::Bypass), ..Config::default() }
}

#[rustfmt::skip]
pub(crate) const ROWS: &[Row] = &[
    row("RFC 9111 §3", Must, "Only answers to methods that the cache knows are stored: GET here, and POST where its answer is that to a GET.", All(&[
        Stores("GET ", 200, FRESH),
        Refuses("HEAD ", 200, FRESH, Refusal::Method),
        Refuses("POST ", 200, FRESH, Refusal::Method),
        Refuses("FOO ", 200, FRESH, Refusal::Method),
    ])),
    row("RFC 9111 §3", Must, "Only final statuses are stored, none below 200.", All(&[
        Refuses("", 100, FRESH, Refusal::Status),
        Refuses("", 102, FRESH, Refusal::Status),
        Refuses("", 103, FRESH, Refusal::Status),
    ])),
    row("RFC 9111 §3", Rule, "Every final status may be stored with an explicit lifetime, unknown ones too.", All(&[
        Stores("", 200, FRESH), Stores("", 203, FRESH), Stores("", 204, FRESH), Stores("", 299, FRESH),
        Stores("", 300, FRESH), Stores("", 301, FRESH), Stores("", 302, FRESH), Stores("", 307, FRESH),
        Stores("", 400, FRESH), Stores("", 404, FRESH), Stores("", 405, FRESH), Stores("", 410, FRESH),
        Stores("", 414, FRESH), Stores("", 451, FRESH), Stores("", 499, FRESH), Stores("", 500, FRESH),
        Stores("", 501, FRESH), Stores("", 503, FRESH), Stores("", 599, FRESH),
    ])),
    row("RFC 9111 §3", Must, "A 304 is not stored as a response of its own.", Refuses("", 304, FRESH, Refusal::Status)),
    row("RFC 9111 §3", Must, "A 206 is not stored as a whole response.", Refuses("", 206, FRESH, Refusal::Status)),
    row("RFC 9111 §3", Choice, "Statuses from 600 on are none, and are not stored.", Refuses("", 600, FRESH, Refusal::Status)),
    row("RFC 9111 §3", Must, "Something in the response must allow to store it: a lifetime, or a status and a date that let one be estimated.", All(&[
        Refuses("", 200, "", Refusal::NoLifetime),
        Refuses("", 200, "etag: \"1\"", Refusal::NoLifetime),
        Stores("", 200, "expires: Sun, 06 Nov 2022 13:00:00 GMT"),
        Stores("", 200, "cache-control: s-maxage=60"),
    ])),
    row("RFC 9111 §3", Choice, "What is stale from the first moment and has no validator is not stored, because it could never be used.", All(&[
        Refuses("", 200, "cache-control: max-age=0", Refusal::NeverReusable),
        Refuses("", 200, "cache-control: max-age=60\nage: 60", Refusal::NeverReusable),
        Stores("", 200, "cache-control: max-age=60\nage: 59"),
        Stores("", 200, "cache-control: max-age=0\netag: \"1\""),
        Stores("", 200, "cache-control: max-age=0, stale-while-revalidate=9"),
        Refuses("", 200, "cache-control: s-maxage=0, stale-while-revalidate=9", Refusal::NeverReusable),
    ])),
    row("RFC 9111 §3", Rule, "A no-store answer leaves what was stored before usable for others.", Serves(Config::default, &[
        get("").origin(200, "cache-control: max-age=60\nx-n: 1", ""),
        get("cache-control: no-cache").origin(200, "cache-control: no-store\nx-n: 2", "").gives(&[Has("x-n: 2")]),
        get("").gives(&[Has("x-n: 1")]),
    ])),
    row("RFC 9111 §3.1", Must, "Fields that Connection names are not stored.", Serves(Config::default, &[
        get("").origin(200, "cache-control: max-age=60\nconnection: x-a, close\nx-a: 1\nx-b: 1", ""),
        get("").gives(&[Lacks("x-a"), Lacks("connection"), Has("x-b: 1")]),
    ])),
    row("RFC 9111 §3.1", Must, "Proxy-Authenticate, Proxy-Authentication-Info and Proxy-Authorization are not stored.", Serves(Config::default, &[
        get("").origin(200, "cache-control: max-age=60\nproxy-authenticate: a\nproxy-authentication-info: a\nproxy-authorization: a", ""),
        get("").gives(&[Lacks("proxy-authenticate"), Lacks("proxy-authentication-info"), Lacks("proxy-authorization")]),
    ])),
    row("RFC 9111 §3.1", Must, "All other fields are stored, unknown ones too, in their number and order.", Serves(Config::default, &[
        get("").origin(200, "cache-control: max-age=60\nx-a: 1\nx-b: 1\nx-a: 2\nx-a: 1\nset-cookie2: 1", ""),
        get("").gives(&[HasAll("x-a", &["1", "2", "1"]), Has("x-b: 1"), Has("set-cookie2: 1")]),
    ])),
    row("RFC 9111 §3.3", Must, "A response whose body ends before its Content-Length is not stored as complete.", Serves(Config::default, &[
        get("").origin(200, "cache-control: max-age=60\ncontent-length: 9", "short"),
        get("").origin(200, FRESH, "whole"),
        get(""),
    ])),
    row("RFC 9111 §3.3", Must, "A response whose body breaks off is not stored as complete.", Serves(Config::default, &[
        get("").cut(200, FRESH, "sho").gives(&[crate::script::Expect::BrokenOff]),
        get("").origin(200, FRESH, "whole"),
        get(""),
    ])),
    row("RFC 9111 §3.3", Must, "A 206 is stored only with a place that is certain: one valid Content-Range.", All(&[
        StoresPart("cache-control: max-age=60\ncontent-range: bytes 0-4/10", true),
        StoresPart("cache-control: max-age=60\ncontent-range: bytes 0-4/*", true),
        StoresPart("cache-control: max-age=60", false),
        StoresPart("cache-control: max-age=60\ncontent-range: bytes 4-0/10", false),
        StoresPart("cache-control: max-age=60\ncontent-range: bytes 0-10/10", false),
        StoresPart("cache-control: max-age=60\ncontent-range: bytes */10", false),
        StoresPart("cache-control: max-age=60\ncontent-range: lines 0-4/10", false),
        StoresPart("cache-control: max-age=60\ncontent-range: bytes 0-4/10\ncontent-range: bytes 0-4/10", false),
        StoresPart("cache-control: max-age=60\ncontent-type: multipart/byteranges; boundary=x", false),
    ])),
    row("RFC 9111 §3.3", Choice, "The answer to a request with Range is stored as the whole when it is a 200, or says that there is none or that it is elsewhere for good, and else only as a part.", All(&[
        Stores("range: bytes=0-1", 200, FRESH),
        Stores("range: bytes=0-1", 301, FRESH),
        Stores("range: bytes=0-1", 308, FRESH),
        Stores("range: bytes=0-1", 404, FRESH),
        Stores("range: bytes=0-1", 410, FRESH),
        Refuses("range: bytes=0-1", 404, "cache-control: max-age=60\ncontent-range: bytes */10", Refusal::Range),
        Refuses("range: bytes=0-1", 400, FRESH, Refusal::Range),
        Refuses("range: bytes=0-1", 416, FRESH, Refusal::Range),
        Refuses("", 200, "cache-control: max-age=60\ncontent-range: bytes 0-4/10", Refusal::Range),
    ])),
    row("RFC 9111 §3.5", Must, "The answer to a request with Authorization is not stored without leave.", All(&[
        Refuses("authorization: Basic x", 200, FRESH, Refusal::Authorization),
        Refuses("authorization: Basic x", 200, "expires: Sun, 06 Nov 2022 13:00:00 GMT", Refusal::Authorization),
        Refuses("authorization: Basic x", 200, "cache-control: max-age=60, proxy-revalidate", Refusal::Authorization),
    ])),
    row("RFC 9111 §3.5", Rule, "must-revalidate, public and s-maxage give leave.", All(&[
        Stores("authorization: Basic x", 200, "cache-control: max-age=60, public"),
        Stores("authorization: Basic x", 200, "cache-control: max-age=60, must-revalidate"),
        Stores("authorization: Basic x", 200, "cache-control: s-maxage=60"),
    ])),
    row("RFC 9111 §3.5", Rule, "What was stored with leave answers others too.", Serves(Config::default, &[
        get("authorization: Basic x").origin(200, "cache-control: s-maxage=60", "a"),
        get(""),
        get("authorization: Basic y"),
    ])),
    row("RFC 9111 §5.2.1.5", Must, "Nothing of an exchange is stored whose request has no-store.", Refuses("cache-control: no-store", 200, FRESH, Refusal::NoStore)),
    row("RFC 9111 §5.2.2.3", Must, "must-understand: not stored with a status that is not known.", All(&[
        Refuses("", 599, "cache-control: max-age=60, no-store, must-understand", Refusal::NotUnderstood),
        Refuses("", 599, "cache-control: max-age=60, must-understand", Refusal::NotUnderstood),
    ])),
    row("RFC 9111 §5.2.2.3", Should, "must-understand: no-store beside it is ignored when the status is known.", All(&[
        Stores("", 200, "cache-control: max-age=60, no-store, must-understand"),
        Stores("", 404, "cache-control: max-age=60, no-store, must-understand"),
    ])),
    row("RFC 9111 §5.2.2.4", Must, "no-cache: not used without validation.", Serves(Config::default, &[
        get("").origin(200, "cache-control: max-age=60, no-cache\netag: \"1\"", "a"),
        get("").origin(304, "cache-control: max-age=60, no-cache\netag: \"1\"", "").gives(&[crate::script::Expect::Asked("if-none-match: \"1\""), crate::script::Expect::Body("a")]),
    ])),
    row("RFC 9111 §5.2.2.4", Rule, "no-cache needs no lifetime to be stored, but a validator.", All(&[
        Stores("", 200, "cache-control: no-cache\netag: \"1\""),
        Stores("", 200, "cache-control: no-cache\nlast-modified: Sun, 06 Nov 2022 11:00:00 GMT"),
        Refuses("", 200, "cache-control: max-age=60, no-cache", Refusal::NeverReusable),
    ])),
    row("RFC 9111 §5.2.2.4", Must, "no-cache with field names: those fields are not used without validation; here they are not stored.", All(&[
        Omits(SetCookie::Store, "cache-control: max-age=60, no-cache=\"x-a, X-B\"", "x-a"),
        Omits(SetCookie::Store, "cache-control: max-age=60, no-cache=\"x-a, X-B\"", "x-b"),
    ])),
    row("RFC 9111 §5.2.2.4", Choice, "Field names count only in quotes, as the grammar has them: `no-cache=1` and `private=1` are about the whole response.", All(&[
        Refuses("", 200, "cache-control: private=1, max-age=60", Refusal::Private),
        Refuses("", 200, "cache-control: private=set-cookie, max-age=60", Refusal::Private),
        Refuses("", 200, "cache-control: no-cache=1, max-age=60", Refusal::NeverReusable),
        Serves(Config::default, &[
            get("").origin(200, "cache-control: no-cache=x-a, max-age=60\netag: \"1\"", "a"),
            get("").origin(304, "etag: \"1\"", "").gives(&[crate::script::Expect::Body("a")]),
        ]),
    ])),
    row("RFC 9111 §5.2.2.5", Must, "no-store: not stored.", Refuses("", 200, "cache-control: max-age=60, No-Store", Refusal::NoStore)),
    row("RFC 9111 §5.2.2.7", Must, "private: not stored by a shared cache.", All(&[
        Refuses("", 200, "cache-control: max-age=60, private", Refusal::Private),
        Refuses("", 200, "cache-control: max-age=60, public, private", Refusal::Private),
        Refuses("", 200, "cache-control: max-age=60, private=\"not a name\"", Refusal::Private),
    ])),
    row("RFC 9111 §5.2.2.7", Must, "private with field names: those fields are not stored, the rest may be.", All(&[
        Omits(SetCookie::Store, "cache-control: max-age=60, private=\"x-a\"", "x-a"),
        Stores("", 200, "cache-control: max-age=60, private=\"x-a\""),
    ])),
    row("RFC 9111 §5.2.2.9", May, "public lets an answer to a request with Authorization be stored, and any status have an estimated lifetime.", All(&[
        Stores("", 403, "cache-control: public\nlast-modified: Sun, 06 Nov 2022 10:00:00 GMT"),
        Refuses("", 403, "last-modified: Sun, 06 Nov 2022 10:00:00 GMT", Refusal::NoLifetime),
    ])),
    row("RFC 9111 §7.3", Choice, "Set-Cookie with an explicit lifetime is stored, as the RFC allows; vgate does not (`set_cookie`).", All(&[
        Stores("", 200, "cache-control: max-age=60\nset-cookie: a=1"),
        Omits(SetCookie::Strip, "cache-control: max-age=60\nset-cookie: a=1", "set-cookie"),
    ])),
    row("RFC 9111 §7.3", Choice, "Where cookies keep a response out of the store (`set_cookie = \"bypass\"`), one that the origin itself keeps out of it, with no-cache or private and its name, does not: it goes to its own client alone.", All(&[
        Serves(bypassing, &[
            get("").origin(200, "cache-control: max-age=60, no-cache=\"Set-Cookie\"\nset-cookie: a=1", "1").gives(&[Has("set-cookie: a=1")]),
            get("").gives(&[crate::script::Expect::Body("1"), Lacks("set-cookie")]),
        ]),
        Serves(bypassing, &[
            get("").origin(200, "cache-control: max-age=60, private=\"set-cookie\"\nset-cookie: a=1", "1").gives(&[Has("set-cookie: a=1")]),
            get("").gives(&[crate::script::Expect::Body("1"), Lacks("set-cookie")]),
        ]),
        Serves(bypassing, &[
            get("").origin(200, "cache-control: max-age=60, private=\"x-a\"\nset-cookie: a=1", "1"),
            get("").origin(200, "", "2").gives(&[crate::script::Expect::Body("2")]),
        ]),
    ])),
    row("RFC 9111 §7.3", Choice, "Set-Cookie without an explicit lifetime is never stored.", All(&[
        Refuses("", 200, "last-modified: Sun, 06 Nov 2022 10:00:00 GMT\nset-cookie: a=1", Refusal::SetCookie),
        Refuses("", 200, "cache-control: no-cache\netag: \"1\"\nset-cookie: a=1", Refusal::SetCookie),
    ])),
    row("RFC 9110 §7.6.1", Must, "Connection and what it names are of one hop, Transfer-Encoding and Keep-Alive too, and are not replayed.", Serves(Config::default, &[
        get("").origin(200, "cache-control: max-age=60\nkeep-alive: timeout=5\nproxy-connection: close\nte: trailers\nupgrade: a", ""),
        get("").gives(&[Lacks("keep-alive"), Lacks("proxy-connection"), Lacks("te"), Lacks("upgrade")]),
    ])),
    row("RFC 9110 §6.6.1", Must, "A response without Date gets one when it is stored: the time of receipt.", Serves(Config::default, &[
        get("").origin(200, FRESH, ""),
        get("").gives(&[Has("date: @0")]),
    ])),
];
