//! What the cache says of itself: RFC 9211.

use crate::cache::Config;

use crate::row::Check::Serves;
use crate::row::Level::{Choice, Must, Rule, Should};
use crate::row::{Row, row};
use crate::script::Expect::{Has, HasAll, Lacks};
use crate::script::{get, step};

const FRESH: &str = "cache-control: max-age=60\netag: \"1\"";

fn silent() -> Config {
    Config { cache_status: false, ..Config::default() }
}

fn named() -> Config {
    Config { name: "Edge-1.x_y".to_owned(), ..Config::default() }
}

#[rustfmt::skip]
pub(crate) const ROWS: &[Row] = &[
    row("RFC 9211 §2.1", Rule, "hit: answered from the store.", Serves(Config::default, &[
        get("").origin(200, FRESH, "1"),
        get("").gives(&[Has("cache-status: Verve; hit; ttl=60")]),
    ])),
    row("RFC 9211 §2.4", Rule, "ttl: the lifetime that is left, in whole seconds.", Serves(Config::default, &[
        get("").origin(200, "cache-control: max-age=60\nage: 10", "1"),
        get("").later(15).gives(&[Has("cache-status: Verve; hit; ttl=35")]),
    ])),
    row("RFC 9211 §2.4", Rule, "ttl is negative for a stale answer.", Serves(Config::default, &[
        get("").origin(200, "cache-control: max-age=10", "1"),
        get("cache-control: max-stale").later(15).gives(&[Has("cache-status: Verve; hit; ttl=-5")]),
    ])),
    row("RFC 9211 §2.2", Rule, "fwd=uri-miss: nothing is stored for the URI.", Serves(Config::default, &[
        get("").origin(200, FRESH, "1").gives(&[Has("cache-status: Verve; fwd=uri-miss; fwd-status=200; stored")]),
    ])),
    row("RFC 9211 §2.2", Rule, "fwd=vary-miss: of the URI, but no variant that fits.", Serves(Config::default, &[
        get("foo: 1").origin(200, "cache-control: max-age=60\nvary: foo", "1"),
        get("foo: 2").origin(200, "cache-control: max-age=60\nvary: foo", "2").gives(&[Has("cache-status: Verve; fwd=vary-miss; fwd-status=200; stored")]),
    ])),
    row("RFC 9211 §2.2", Rule, "fwd=stale: it is stale.", Serves(Config::default, &[
        get("").origin(200, "cache-control: max-age=10\netag: \"1\"", "1"),
        get("").later(11).origin(304, "cache-control: max-age=10\netag: \"1\"", "").gives(&[Has("cache-status: Verve; fwd=stale; fwd-status=304; stored")]),
    ])),
    row("RFC 9211 §2.2", Rule, "fwd=request: it is fresh, and the request does not want it.", Serves(Config::default, &[
        get("").origin(200, FRESH, "1"),
        get("cache-control: no-cache").origin(200, FRESH, "2").gives(&[Has("cache-status: Verve; fwd=request; fwd-status=200; stored")]),
    ])),
    row("RFC 9211 §2.2", Rule, "fwd=method: not a method for the cache.", Serves(Config::default, &[
        step("POST /", "").origin(201, "", "").gives(&[Has("cache-status: Verve; fwd=method; fwd-status=201")]),
    ])),
    row("RFC 9211 §2.2", Rule, "fwd=bypass: the cache was not to handle it.", Serves(Config::default, &[
        get("if-match: \"1\"").origin(200, "", "").gives(&[Has("cache-status: Verve; fwd=bypass; fwd-status=200")]),
    ])),
    row("RFC 9211 §2.2", Rule, "fwd=partial: a part is stored, and not all that is asked for.", Serves(Config::default, &[
        get("range: bytes=0-1").origin(206, "cache-control: max-age=60\netag: \"1\"\ncontent-range: bytes 0-1/10", "01"),
        get("range: bytes=5-6").origin(206, "content-range: bytes 5-6/10", "56").gives(&[Has("cache-status: Verve; fwd=partial; fwd-status=206")]),
    ])),
    row("RFC 9211 §2.3", Rule, "fwd-status: what the origin answered; said always where it answered, whether the client gets that or something else.", Serves(Config::default, &[
        get("").origin(200, "cache-control: max-age=10, stale-if-error=60", "1").gives(&[Has("cache-status: Verve; fwd=uri-miss; fwd-status=200; stored")]),
        get("").later(11).origin(503, "", "").gives(&[Has("cache-status: Verve; fwd=stale; fwd-status=503")]),
    ])),
    row("RFC 9211 §2.5", Rule, "stored: only of what is stored.", Serves(Config::default, &[
        get("").origin(200, "cache-control: no-store", "1").gives(&[Has("cache-status: Verve; fwd=uri-miss; fwd-status=200")]),
    ])),
    row("RFC 9211 §2.8", Choice, "detail: why there is neither hit nor fwd: only-if-cached.", Serves(Config::default, &[
        get("cache-control: only-if-cached").gives(&[Has("cache-status: Verve; detail=only-if-cached")]),
    ])),
    row("RFC 9211 §2", Should, "The members of caches nearer to the origin are kept, in front of ours.", Serves(Config::default, &[
        get("").origin(200, "cache-control: max-age=60\ncache-status: Other; hit", "1").gives(&[HasAll("cache-status", &["Other; hit", "Verve; fwd=uri-miss; fwd-status=200; stored"])]),
        get("").gives(&[HasAll("cache-status", &["Other; hit", "Verve; hit; ttl=60"])]),
    ])),
    row("RFC 9211 §2", Must, "The member is the cache's name, a token (`name`).", Serves(named, &[
        get("").origin(200, FRESH, "1"),
        get("").gives(&[Has("cache-status: Edge-1.x_y; hit; ttl=60")]),
    ])),
    row("RFC 9211 §2", Choice, "With `cache_status = false` the cache says nothing, and passes on what others say.", Serves(silent, &[
        get("").origin(200, FRESH, "1").gives(&[Lacks("cache-status")]),
        get("").gives(&[Lacks("cache-status")]),
    ])),
    row("RFC 9211 §2.1", Must, "hit and fwd are never said together.", Serves(Config::default, &[
        get("").origin(200, "cache-control: max-age=10\netag: \"1\"", "1"),
        get("").later(11).origin(304, "", "").gives(&[Has("cache-status: Verve; fwd=stale; fwd-status=304; stored")]),
        get("").later(1).gives(&[Has("cache-status: Verve; hit; ttl=9")]),
    ])),
];
