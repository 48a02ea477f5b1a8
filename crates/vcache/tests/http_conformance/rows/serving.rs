//! What does not belong elsewhere: what passes by, what is safe by default.

use crate::cache::Config;

use crate::row::Check::{All, Serves};
use crate::row::Level::{Choice, Must, Rule};
use crate::row::{Row, row};
use crate::script::Expect::{Body, Has, Lacks, Status};
use crate::script::{get, step};

const FRESH: &str = "cache-control: max-age=60";

fn x_cache() -> Config {
    Config { x_cache: true, ..Config::default() }
}

#[rustfmt::skip]
pub(crate) const ROWS: &[Row] = &[
    row("RFC 9111 §5.5", Must, "No Warning is made: it is obsolete.", Serves(Config::default, &[
        get("").origin(200, "cache-control: max-age=10, stale-while-revalidate=60", "1"),
        get("").later(11).origin(200, FRESH, "2").gives(&[Body("1"), Lacks("warning")]),
    ])),
    row("RFC 9110 §7.8", Rule, "A request to change the protocol passes by.", Serves(Config::default, &[
        get("").origin(200, FRESH, "1"),
        get("connection: upgrade\nupgrade: websocket").origin(400, "", "2").gives(&[Status(400)]),
    ])),
    row("RFC 9110 §15.4", Rule, "Redirects are stored with an explicit lifetime, with their Location.", All(&[
        Serves(Config::default, &[get("").origin(301, "cache-control: max-age=60\nlocation: /x", ""), get("").gives(&[Status(301), Has("location: /x")])]),
        Serves(Config::default, &[get("").origin(302, "cache-control: max-age=60\nlocation: /x", ""), get("").gives(&[Status(302), Has("location: /x")])]),
        Serves(Config::default, &[get("").origin(308, "cache-control: max-age=60\nlocation: /x", ""), get("").gives(&[Status(308), Has("location: /x")])]),
    ])),
    row("RFC 9110 §15.5", Choice, "Errors are stored only with an explicit lifetime, or as the RFC lets one be estimated.", Serves(Config::default, &[
        get("").origin(500, "", "1"),
        get("").origin(400, "", "2"),
        get("").origin(404, "cache-control: max-age=60", "3"),
        get("").gives(&[Status(404), Body("3")]),
    ])),
    row("RFC 9110 §15.3.5", Rule, "A 204 is replayed without content.", Serves(Config::default, &[
        get("").origin(204, FRESH, ""),
        get("").gives(&[Status(204), Body(""), Lacks("content-length")]),
    ])),
    row("RFC 9110 §7.2", Choice, "The key takes the authority of the request's own URI before Host.", Serves(Config::default, &[
        step("GET http://b.test/", "").origin(200, FRESH, "b"),
        get("").origin(200, FRESH, "a").gives(&[Body("a")]),
        step("GET http://b.test/", "").gives(&[Body("b")]),
    ])),
    row("RFC 9111 §7.1", Choice, "X-Cache says HIT or MISS where it is asked for (`x_cache`), in place of what came.", Serves(x_cache, &[
        get("").origin(200, "cache-control: max-age=60\nx-cache: HIT", "1").gives(&[Has("x-cache: MISS")]),
        get("").gives(&[Has("x-cache: HIT")]),
    ])),
];
