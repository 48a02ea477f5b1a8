//! When a stale response may be used, and what requests say of it: RFC 9111 §4.2.4, §5.2.1,
//! §5.2.2, RFC 5861.

use crate::cache::Config;
use crate::cache::policy::Decision;

use crate::row::Check::{All, Decides, ForError, ForSilence, Serves};
use crate::row::Level::{Choice, May, Must, Rule, Should};
use crate::row::{Row, row};
use crate::script::Expect::{Asked, Body, Fails, Has, Status};
use crate::script::get;

const HIT: Decision = Decision::Hit;
const STALE: Decision = Decision::Stale { refresh: false };
const REFRESHED: Decision = Decision::Stale { refresh: true };
const VALIDATE: Decision = Decision::Validate { asked: false };
const ASKED: Decision = Decision::Validate { asked: true };
const SHORT: &str = "cache-control: max-age=10";
const SWR: &str = "cache-control: max-age=10, stale-while-revalidate=5";

fn beside_s_maxage() -> Config {
    Config { stale_beside_s_maxage: true, ..Config::default() }
}

fn never_unreachable() -> Config {
    Config { stale_if_unreachable: std::time::Duration::ZERO, ..Config::default() }
}

fn refreshing_ahead() -> Config {
    Config { refresh_ahead_percent: 80, ..Config::default() }
}

fn deaf() -> Config {
    Config { request_directives: false, ..Config::default() }
}

#[rustfmt::skip]
pub(crate) const ROWS: &[Row] = &[
    row("RFC 9111 §4.2.4", Must, "A stale response is not used while the origin answers, unless a directive allows it.", Serves(Config::default, &[
        get("").origin(200, SHORT, "1"),
        get("").later(11).origin(200, SHORT, "2").gives(&[Body("2")]),
    ])),
    row("RFC 9111 §4.2.4", Choice, "Cut off from the origin, a stale response is used for an hour at most (`stale_if_unreachable`).", All(&[
        ForSilence(SHORT, 11, true), ForSilence(SHORT, 3610, true), ForSilence(SHORT, 3611, false),
    ])),
    row("RFC 9111 §4.2.4", May, "A stale response answers while the origin is down.", Serves(Config::default, &[
        get("").origin(200, SHORT, "1"),
        get("").later(11).down().gives(&[Status(200), Body("1"), Has("age: 11")]),
    ])),
    row("RFC 9111 §4.2.4", Choice, "With `stale_if_unreachable = \"0s\"` it does not.", Serves(never_unreachable, &[
        get("").origin(200, SHORT, "1"),
        get("").later(11).down().gives(&[Fails]),
    ])),
    row("RFC 9111 §4.2.4", Must, "Not even then with must-revalidate, proxy-revalidate, s-maxage or no-cache.", All(&[
        ForSilence("cache-control: max-age=10, must-revalidate", 11, false),
        ForSilence("cache-control: max-age=10, proxy-revalidate", 11, false),
        ForSilence("cache-control: s-maxage=10", 11, false),
        ForSilence("cache-control: max-age=10, no-cache\netag: \"1\"", 1, false),
        ForSilence("cache-control: max-age=10, must-revalidate, stale-if-error=60", 11, false),
    ])),
    row("RFC 9111 §4.2.4", Rule, "An error of the origin is an answer, and not replaced without leave.", Serves(Config::default, &[
        get("").origin(200, SHORT, "1"),
        get("").later(11).origin(503, "", "2").gives(&[Status(503)]),
    ])),
    row("RFC 9111 §5.2.1.1", Rule, "Request max-age: an older response is validated.", All(&[
        Decides("cache-control: max-age=5", SHORT, 5, HIT),
        Decides("cache-control: max-age=5", SHORT, 6, ASKED),
        Decides("cache-control: max-age=0", SHORT, 1, ASKED),
        Decides("cache-control: max-age=x", SHORT, 1, ASKED),
    ])),
    row("RFC 9111 §5.2.1.1", Rule, "Request max-age without max-stale accepts nothing stale.", Decides("cache-control: max-age=99", SWR, 12, VALIDATE)),
    row("RFC 9111 §5.2.1.2", May, "Request max-stale: stale responses within it, or all without a number.", All(&[
        Decides("cache-control: max-stale=5", SHORT, 15, STALE),
        Decides("cache-control: max-stale=5", SHORT, 16, VALIDATE),
        Decides("cache-control: max-stale", SHORT, 9999, STALE),
        Decides("cache-control: max-stale=x", SHORT, 11, VALIDATE),
    ])),
    row("RFC 9111 §5.2.1.2", Rule, "max-stale with max-age: both together bound the age.", All(&[
        Decides("cache-control: max-stale=5, max-age=8", SHORT, 13, STALE),
        Decides("cache-control: max-stale=5, max-age=8", SHORT, 14, VALIDATE),
    ])),
    row("RFC 9111 §5.2.1.3", Rule, "Request min-fresh: what is not fresh for so long is validated.", All(&[
        Decides("cache-control: min-fresh=5", SHORT, 5, HIT),
        Decides("cache-control: min-fresh=5", SHORT, 6, ASKED),
        Decides("cache-control: min-fresh=x", SHORT, 0, ASKED),
        Decides("cache-control: min-fresh=5, max-stale=60", SHORT, 11, VALIDATE),
    ])),
    row("RFC 9111 §5.2.1.4", Rule, "Request no-cache: validated although it is fresh.", All(&[
        Decides("cache-control: no-cache", SHORT, 0, ASKED),
        Decides("cache-control: No-Cache", SWR, 12, ASKED),
        Decides("cache-control: no-cache=foo", SHORT, 0, ASKED),
    ])),
    row("RFC 9111 §5.2.1.5", Rule, "Request no-store is answered from the store all the same.", Decides("cache-control: no-store", SHORT, 0, HIT)),
    row("RFC 9111 §5.2.1.7", Should, "Request only-if-cached: from the store, or 504.", All(&[
        Decides("cache-control: only-if-cached", SHORT, 0, HIT),
        Decides("cache-control: only-if-cached", SHORT, 10, Decision::GatewayTimeout),
        Decides("cache-control: only-if-cached, max-stale", SHORT, 10, STALE),
        Decides("cache-control: only-if-cached, no-cache", SHORT, 0, Decision::GatewayTimeout),
    ])),
    row("RFC 9111 §5.2.1.7", Should, "So it is where nothing of the store would do, as with If-Match.", Serves(Config::default, &[
        get("cache-control: only-if-cached\nif-match: \"1\"").gives(&[Status(504)]),
    ])),
    row("RFC 9111 §5.2.1.7", Should, "only-if-cached with nothing stored is 504, and the origin is not asked.", Serves(Config::default, &[
        get("cache-control: only-if-cached").gives(&[Status(504)]),
    ])),
    row("RFC 9111 §5.2.1", Choice, "With `request_directives = false` what clients ask for does not count.", Serves(deaf, &[
        get("").origin(200, SHORT, "1"),
        get("cache-control: no-cache").gives(&[Body("1")]),
        get("pragma: no-cache").gives(&[Body("1")]),
        get("cache-control: max-stale").later(11).origin(200, SHORT, "2").gives(&[Body("2")]),
    ])),
    row("RFC 9111 §5.4", Should, "Pragma: no-cache counts in a request without Cache-Control, and only there.", All(&[
        Decides("pragma: no-cache", SHORT, 0, ASKED),
        Decides("pragma: foo, No-Cache", SHORT, 0, ASKED),
        Decides("pragma: no-cache\ncache-control: max-age=9", SHORT, 0, HIT),
        Decides("pragma: foo", SHORT, 0, HIT),
    ])),
    row("RFC 9111 §5.4", Rule, "Pragma in a response means nothing.", Decides("", "cache-control: max-age=10\npragma: no-cache", 0, HIT)),
    row("RFC 9111 §5.2.2.2", Must, "must-revalidate: never stale, whatever else allows it.", All(&[
        Decides("", "cache-control: max-age=10, stale-while-revalidate=5, must-revalidate", 11, VALIDATE),
        Decides("cache-control: max-stale", "cache-control: max-age=10, must-revalidate", 11, VALIDATE),
        ForError("cache-control: max-age=10, stale-if-error=60, must-revalidate", 11, false),
        Decides("", "cache-control: max-age=10, must-revalidate", 9, HIT),
    ])),
    row("RFC 9111 §5.2.2.2", Must, "must-revalidate while the origin is down is an error, not a stale answer.", Serves(Config::default, &[
        get("").origin(200, "cache-control: max-age=10, must-revalidate", "1"),
        get("").later(11).down().gives(&[Fails]),
    ])),
    row("RFC 9111 §5.2.2.8", Must, "proxy-revalidate: the same in a shared cache.", All(&[
        Decides("", "cache-control: max-age=10, stale-while-revalidate=5, proxy-revalidate", 11, VALIDATE),
        Decides("cache-control: max-stale", "cache-control: max-age=10, proxy-revalidate", 11, VALIDATE),
        ForError("cache-control: max-age=10, stale-if-error=60, proxy-revalidate", 11, false),
    ])),
    row("RFC 9111 §5.2.2.10", Must, "s-maxage has the meaning of proxy-revalidate.", All(&[
        Decides("", "cache-control: s-maxage=10, stale-while-revalidate=5", 11, VALIDATE),
        Decides("cache-control: max-stale", "cache-control: s-maxage=10", 11, VALIDATE),
        ForError("cache-control: s-maxage=10, stale-if-error=60", 11, false),
    ])),
    row("RFC 9111 §5.2.2.10", Choice, "Against it, with `stale_beside_s_maxage` (off by default): the origin's stale windows count beside s-maxage, but not beside must-revalidate.", All(&[
        Serves(beside_s_maxage, &[
            get("").origin(200, "cache-control: s-maxage=10, stale-while-revalidate=5", "1"),
            get("").later(12).origin(200, SHORT, "2").gives(&[Body("1")]),
            get("").gives(&[Body("2")]),
        ]),
        Serves(beside_s_maxage, &[
            get("").origin(200, "cache-control: s-maxage=10, must-revalidate, stale-while-revalidate=5", "1"),
            get("").later(12).origin(200, SHORT, "2").gives(&[Body("2")]),
        ]),
        Serves(beside_s_maxage, &[
            get("").origin(200, "cache-control: s-maxage=10", "1"),
            get("cache-control: max-stale").later(12).origin(200, SHORT, "2").gives(&[Body("2")]),
        ]),
    ])),
    row("RFC 9111 §5.2.2.4", Must, "no-cache: never without validation, whatever windows are there.", All(&[
        Decides("", "cache-control: max-age=10, no-cache, stale-while-revalidate=60\netag: \"1\"", 0, VALIDATE),
        ForError("cache-control: max-age=10, no-cache, stale-if-error=60\netag: \"1\"", 11, false),
    ])),
    row("RFC 9111 §5.2.2.4", Rule, "no-cache for some fields leaves the rest to be used.", Decides("", "cache-control: max-age=10, no-cache=\"a\"", 0, HIT)),
    row("RFC 5861 §3", May, "stale-while-revalidate: used for so long past the lifetime, and refreshed behind.", All(&[
        Decides("", SWR, 9, HIT), Decides("", SWR, 10, REFRESHED), Decides("", SWR, 15, REFRESHED),
    ])),
    row("RFC 5861 §3", Should, "Past the window it is not used without validation.", Decides("", SWR, 16, VALIDATE)),
    row("RFC 5861 §3", Rule, "The window counts from the end of the lifetime, not from receipt; Age counts.", All(&[
        Decides("", "cache-control: max-age=10, stale-while-revalidate=5\nage: 8", 6, REFRESHED),
        Decides("", "cache-control: max-age=10, stale-while-revalidate=5\nage: 8", 8, VALIDATE),
    ])),
    row("RFC 5861 §3", Rule, "One refresh behind the stale answer; the next request has the new one.", Serves(Config::default, &[
        get("").origin(200, "cache-control: max-age=10, stale-while-revalidate=60\netag: \"1\"", "1"),
        get("").later(12).origin(200, "cache-control: max-age=10\netag: \"2\"", "2").gives(&[Body("1"), Has("age: 12"), Asked("if-none-match: \"1\"")]),
        get("").gives(&[Body("2")]),
    ])),
    row("RFC 5861 §3", Choice, "only-if-cached gets the stale answer and starts no refresh.", Decides("cache-control: only-if-cached", SWR, 12, STALE)),
    row("RFC 5861 §3", Choice, "Who asks for min-fresh or max-age gets no stale answer by the origin's leave.", Decides("cache-control: min-fresh=1", SWR, 12, VALIDATE)),
    row("RFC 5861 §4", May, "stale-if-error: used in place of an error for so long past the lifetime.", All(&[
        ForError("cache-control: max-age=10, stale-if-error=5", 10, true),
        ForError("cache-control: max-age=10, stale-if-error=5", 15, true),
        ForError("cache-control: max-age=10, stale-if-error=5", 16, false),
        ForError(SHORT, 11, false),
    ])),
    row("RFC 5861 §4", Choice, "After an outage the origin is not asked for the same again for a second (`hold_off`); what it allows is answered meanwhile.", Serves(Config::default, &[
        get("").origin(200, "cache-control: max-age=10, stale-if-error=60", "1"),
        get("").later(11).origin(503, "", "2").gives(&[Body("1"), Has("cache-status: Verve; fwd=stale; fwd-status=503")]),
        get("").gives(&[Body("1"), Has("cache-status: Verve; hit; ttl=-1")]),
        get("cache-control: no-cache").origin(404, "", "3").gives(&[Status(404)]),
        get("").later(1).origin(200, SHORT, "4").gives(&[Body("4")]),
    ])),
    row("RFC 9111 §4.3", Choice, "From a percentage of its lifetime on (`refresh_ahead_percent`, off by default) a fresh response that is asked for is refreshed behind the answer.", Serves(refreshing_ahead, &[
        get("").origin(200, "cache-control: max-age=10\netag: \"1\"", "1"),
        get("").later(7).gives(&[Body("1")]),
        get("").later(1).origin(200, SHORT, "2").gives(&[Body("1"), Has("age: 8"), Asked("if-none-match: \"1\"")]),
        get("").later(2).gives(&[Body("2"), Has("age: 2")]),
    ])),
    row("RFC 5861 §4", May, "stale-if-error of a request stands in place of the response's own: it allows more, or less.", All(&[
        Serves(Config::default, &[
            get("").origin(200, SHORT, "1"),
            get("cache-control: stale-if-error=60").later(11).origin(503, "", "2").gives(&[Status(200), Body("1"), Has("cache-status: Verve; fwd=stale; fwd-status=503")]),
        ]),
        Serves(Config::default, &[
            get("").origin(200, SHORT, "1"),
            get("cache-control: stale-if-error=5").later(16).origin(503, "", "2").gives(&[Status(503)]),
        ]),
        Serves(Config::default, &[
            get("").origin(200, "cache-control: max-age=10, stale-if-error=600", "1"),
            get("cache-control: stale-if-error=5").later(16).origin(503, "", "2").gives(&[Status(503)]),
        ]),
        Serves(Config::default, &[
            get("").origin(200, SHORT, "1"),
            get("cache-control: stale-if-error=0").later(11).down().gives(&[Fails]),
        ]),
    ])),
    row("RFC 5861 §4", Must, "It allows nothing where the response forbids every stale answer.", All(&[
        Serves(Config::default, &[
            get("").origin(200, "cache-control: max-age=10, must-revalidate", "1"),
            get("cache-control: stale-if-error=60").later(11).origin(503, "", "2").gives(&[Status(503)]),
        ]),
        Serves(Config::default, &[
            get("").origin(200, "cache-control: s-maxage=10", "1"),
            get("cache-control: stale-if-error=60").later(11).origin(503, "", "2").gives(&[Status(503)]),
        ]),
        Serves(Config::default, &[
            get("").origin(200, "cache-control: no-cache\netag: \"1\"", "1"),
            get("cache-control: stale-if-error=60").later(11).origin(503, "", "2").gives(&[Status(503)]),
        ]),
    ])),
    row("RFC 5861 §4", Choice, "With `request_directives = false` it does not count.", Serves(deaf, &[
        get("").origin(200, SHORT, "1"),
        get("cache-control: stale-if-error=60").later(11).origin(503, "", "2").gives(&[Status(503)]),
    ])),
    row("RFC 5861 §4", Rule, "500, 502, 503 and 504 are errors.", All(&[
        Serves(Config::default, &[get("").origin(200, "cache-control: max-age=10, stale-if-error=60", "1"), get("").later(11).origin(500, "", "2").gives(&[Status(200), Body("1")])]),
        Serves(Config::default, &[get("").origin(200, "cache-control: max-age=10, stale-if-error=60", "1"), get("").later(11).origin(502, "", "2").gives(&[Status(200), Body("1")])]),
        Serves(Config::default, &[get("").origin(200, "cache-control: max-age=10, stale-if-error=60", "1"), get("").later(11).origin(503, "", "2").gives(&[Status(200), Body("1")])]),
        Serves(Config::default, &[get("").origin(200, "cache-control: max-age=10, stale-if-error=60", "1"), get("").later(11).origin(504, "", "2").gives(&[Status(200), Body("1")])]),
    ])),
    row("RFC 5861 §4", Rule, "404 and other statuses are none.", Serves(Config::default, &[
        get("").origin(200, "cache-control: max-age=10, stale-if-error=60", "1"),
        get("").later(11).origin(404, "", "2").gives(&[Status(404)]),
        get("").origin(501, "", "3").gives(&[Status(501)]),
    ])),
    row("RFC 5861 §4", Should, "Past its window an error is passed on.", Serves(Config::default, &[
        get("").origin(200, "cache-control: max-age=10, stale-if-error=60", "1"),
        get("").later(71).origin(503, "", "2").gives(&[Status(503), Body("2")]),
    ])),
];
