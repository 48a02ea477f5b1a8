//! Which stored response fits a request: RFC 9111 §2, §4, §4.1.

use crate::cache::Config;
use crate::cache::policy::Refusal;

use crate::row::Check::{All, Fits, FitsByLanguage, Refuses, Serves, Stores};
use crate::row::Level::{Choice, May, Must, Rule, Should};
use crate::row::{Row, row};
use crate::script::Expect::{Asked, AskedWithout, Body, Has, Lacks, Status};
use crate::script::{get, step};

const FRESH: &str = "cache-control: max-age=60";

fn two_variants() -> Config {
    Config { max_variants: 2, ..Config::default() }
}

#[rustfmt::skip]
pub(crate) const ROWS: &[Row] = &[
    row("RFC 9111 §2", Must, "The key is the whole target URI: another query, path or host is another response.", Serves(Config::default, &[
        step("GET /a?b", "").origin(200, FRESH, "1"),
        step("GET /a?c", "").origin(200, FRESH, "2").gives(&[Body("2")]),
        step("GET /A?b", "").origin(200, FRESH, "3").gives(&[Body("3")]),
        step("GET http://b.test/a?b", "").origin(200, FRESH, "4").gives(&[Body("4")]),
        step("GET /a?b", "").gives(&[Body("1")]),
    ])),
    row("RFC 9111 §2", Rule, "Scheme and host in any letter case and the default port are the same URI.", Serves(Config::default, &[
        step("GET http://a.test/", "").origin(200, FRESH, "1"),
        step("GET HTTP://A.test:80/", "").gives(&[Body("1")]),
    ])),
    row("RFC 9111 §4", Must, "A stored GET answers a HEAD, without content.", Serves(Config::default, &[
        get("").origin(200, "cache-control: max-age=60\ncontent-length: 5", "hello"),
        step("HEAD /", "").gives(&[Status(200), Body(""), Has("content-length: 5")]),
    ])),
    row("RFC 9111 §4", Must, "The answer to a HEAD never answers a GET.", Serves(Config::default, &[
        step("HEAD /", "").origin(200, FRESH, ""),
        get("").origin(200, FRESH, "hello").gives(&[Body("hello")]),
    ])),
    row("RFC 9111 §4", Must, "Unsafe methods are written through: never answered from the store.", Serves(Config::default, &[
        get("").origin(200, FRESH, "1"),
        step("POST /", "").origin(404, "", "2").gives(&[Body("2")]),
        step("PUT /", "").origin(500, "", "3").gives(&[Body("3")]),
    ])),
    row("RFC 9111 §4.1", Must, "The fields that Vary names must have the values of the stored request.", All(&[
        Fits("vary: foo", "foo: 1", "foo: 1", true),
        Fits("vary: foo", "foo: 1", "foo: 2", false),
        Fits("vary: foo, bar", "foo: 1\nbar: 2", "foo: 1\nbar: 2\nbaz: 3", true),
        Fits("vary: foo, bar", "foo: 1\nbar: 2", "foo: 1\nbar: 3", false),
        Fits("", "foo: 1", "foo: 2", true),
    ])),
    row("RFC 9111 §4.1", Rule, "Several Vary lines are one list.", Fits("vary: foo\nvary: bar", "foo: 1\nbar: 2", "foo: 1\nbar: 3", false)),
    row("RFC 9111 §4.1", Rule, "The names in Vary are read in any letter case.", All(&[
        Fits("vary: FOO", "foo: 1", "Foo: 1", true),
        Fits("vary: FoO", "foo: 1", "foo: 2", false),
    ])),
    row("RFC 9111 §4.1", Rule, "White space around commas does not count, inside of a member it does.", All(&[
        Fits("vary: foo", "foo: a,b", "foo: a ,\tb", true),
        Fits("vary: foo", "foo: a b", "foo: ab", false),
        Fits("vary: foo", "foo: \"a,b\"", "foo: \"a, b\"", false),
    ])),
    row("RFC 9111 §4.1", Rule, "Several lines of a request field are one list.", All(&[
        Fits("vary: foo", "foo: a\nfoo: b", "foo: a, b", true),
        Fits("vary: foo", "foo: 1\nfoo: 2", "foo: 1\nfoo: 3", false),
        Fits("vary: foo", "foo: 1\nfoo: 2", "foo: 2\nfoo: 1", false),
    ])),
    row("RFC 9111 §4.1", Must, "A field that is missing matches only where it is missing; empty is not missing.", All(&[
        Fits("vary: foo", "", "", true),
        Fits("vary: foo", "", "foo: 1", false),
        Fits("vary: foo", "foo: 1", "", false),
        Fits("vary: foo", "", "foo: ", false),
    ])),
    row("RFC 9111 §4.1", Rule, "Values of unknown fields are compared with their letter case.", Fits("vary: foo", "foo: a", "foo: A", false)),
    row("RFC 9111 §4.1", Must, "Vary with * anywhere in the list, on any line, matches nothing; it is not stored.", All(&[
        Refuses("", 200, "cache-control: max-age=60\nvary: *", Refusal::Vary),
        Refuses("", 200, "cache-control: max-age=60\nvary: a, *", Refusal::Vary),
        Refuses("", 200, "cache-control: max-age=60\nvary: *, a", Refusal::Vary),
        Refuses("", 200, "cache-control: max-age=60\nvary: , *", Refusal::Vary),
        Refuses("", 200, "cache-control: max-age=60\nvary: a\nvary: *", Refusal::Vary),
    ])),
    row("RFC 9111 §4.1", Choice, "Vary with something that is no field name, or with more than 16 names, is taken for *.", All(&[
        Refuses("", 200, "cache-control: max-age=60\nvary: not a name", Refusal::Vary),
        Refuses("", 200, "cache-control: max-age=60\nvary: a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p,q", Refusal::Vary),
        Stores("", 200, "cache-control: max-age=60\nvary: Accept, , ACCEPT"),
    ])),
    row("RFC 9111 §4.1", Must, "Variants stand beside each other, and each answers its own requests.", Serves(Config::default, &[
        get("foo: 1").origin(200, "cache-control: max-age=60\nvary: foo", "1"),
        get("foo: 2").origin(200, "cache-control: max-age=60\nvary: foo", "2"),
        get("foo: 1").gives(&[Body("1")]),
        get("foo: 2").gives(&[Body("2")]),
        get("").origin(200, "cache-control: max-age=60\nvary: foo", "3").gives(&[Body("3")]),
    ])),
    row("RFC 9111 §4.1", Should, "Of several responses that fit the most recent answers.", Serves(Config::default, &[
        get("foo: 1\nbar: 1").origin(200, "cache-control: max-age=60\nvary: foo", "1"),
        get("foo: 2\nbar: 1").later(1).origin(200, "cache-control: max-age=60\nvary: bar", "2"),
        get("foo: 1\nbar: 1").gives(&[Body("2")]),
    ])),
    row("RFC 9111 §4.1", Choice, "The variants of a URI are bounded (`max_variants`); the least recently used leaves.", Serves(two_variants, &[
        get("foo: 1").origin(200, "cache-control: max-age=60\nvary: foo", "1"),
        get("foo: 2").later(1).origin(200, "cache-control: max-age=60\nvary: foo", "2"),
        get("foo: 1").later(1).gives(&[Body("1")]),
        get("foo: 3").later(1).origin(200, "cache-control: max-age=60\nvary: foo", "3"),
        get("foo: 1").gives(&[Body("1")]),
        get("foo: 2").origin(200, "cache-control: max-age=60\nvary: foo", "4"),
    ])),
    row("RFC 9111 §4.1", May, "Accept-Encoding is compared by what it means: order, letter case and a weight of 1 do not count (`normalise_accept_encoding`).", All(&[
        Fits("vary: accept-encoding", "accept-encoding: gzip, br", "accept-encoding: BR,gzip;q=1", true),
        Fits("vary: accept-encoding", "accept-encoding: gzip", "accept-encoding: gzip, br", false),
        Fits("vary: accept-encoding", "accept-encoding: gzip;q=0", "accept-encoding: gzip", false),
        Fits("vary: accept-encoding", "accept-encoding: gzip;q=2", "accept-encoding: ", false),
        Fits("vary: accept-encoding", "", "accept-encoding: ", false),
    ])),
    row("RFC 9111 §4.1", Choice, "Accept-Language is compared by its text, because an origin may take the order for a preference.", All(&[
        Fits("vary: accept-language", "accept-language: en, de", "accept-language: de, en", false),
        Fits("vary: accept-language", "accept-language: en, de", "accept-language: en,de", true),
    ])),
    row("RFC 9111 §4.1", Choice, "With `normalise_accept_language` letter case and order do not count.", All(&[
        FitsByLanguage("vary: accept-language", "accept-language: en, de;q=0.5", "accept-language: DE;q=0.5,EN", true),
        FitsByLanguage("vary: accept-language", "accept-language: en, de;q=0.5", "accept-language: de, en;q=0.5", false),
    ])),
    row("RFC 9111 §4.1", Choice, "With `normalise_accept_language` whoever wants a language first gets what is stored in it.", All(&[
        FitsByLanguage("vary: accept-language\ncontent-language: DE", "accept-language: de", "accept-language: de, en;q=0.5", true),
        FitsByLanguage("vary: accept-language\ncontent-language: de", "accept-language: de", "accept-language: en, de;q=0.5", false),
        FitsByLanguage("vary: accept-language\ncontent-language: de", "accept-language: de", "accept-language: en, de", false),
        FitsByLanguage("vary: accept-language\ncontent-language: de, en", "accept-language: de", "accept-language: de, en;q=0.1", false),
        FitsByLanguage("vary: accept-language, foo\ncontent-language: de", "accept-language: de\nfoo: 1", "accept-language: de, en;q=0.1\nfoo: 2", false),
    ])),
    row("RFC 9110 §7.6.1", Must, "A field that Connection names is not of the request: it does not go on, and Vary does not see it.", Serves(Config::default, &[
        get("connection: origin\norigin: http://b.test").origin(200, "cache-control: max-age=60\nvary: origin", "1").gives(&[AskedWithout("origin"), AskedWithout("connection")]),
        get("origin: http://b.test").origin(200, "cache-control: max-age=60\nvary: origin", "2").gives(&[Body("2"), Asked("origin: http://b.test")]),
        get("").gives(&[Body("1")]),
        get("connection: close, Origin\norigin: http://b.test").gives(&[Body("1")]),
    ])),
    row("RFC 9110 §7.6.1", Must, "Nor can Connection take away what the cache adds to a request.", Serves(Config::default, &[
        get("").origin(200, "cache-control: max-age=1\netag: \"1\"", "1"),
        get("connection: if-none-match\nif-none-match: \"2\"").later(2).origin(304, "etag: \"1\"\ncache-control: max-age=60", "").gives(&[Asked("if-none-match: \"1\""), Body("1")]),
    ])),
    row("RFC 9110 §7.8", May, "An offer of a protocol that is not passed on is ignored: the store answers.", Serves(Config::default, &[
        get("").origin(200, FRESH, "1"),
        get("connection: upgrade, http2-settings\nupgrade: h2c\nhttp2-settings: AAMAAABk").gives(&[Body("1")]),
        get("connection: keep-alive\nupgrade: websocket").gives(&[Body("1")]),
    ])),
    row("RFC 9110 §12.5.3", Choice, "Coded content varies with Accept-Encoding whether the origin says so or not, and the answer says it.", Serves(Config::default, &[
        get("accept-encoding: gzip").origin(200, "cache-control: max-age=60\ncontent-encoding: gzip", "coded"),
        get("accept-encoding: gzip").gives(&[Body("coded"), Has("vary: accept-encoding")]),
        get("").origin(200, FRESH, "plain").gives(&[Body("plain"), Lacks("vary")]),
    ])),
];
