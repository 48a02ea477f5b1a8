//! What a request makes invalid: RFC 9111 §4.4, RFC 9110 §9.2.1.

use crate::cache::Config;

use crate::row::Check::{All, Invalidates, Safe, Serves};
use crate::row::Level::{Choice, May, Must, Rule};
use crate::row::{Row, row};
use crate::script::Expect::{Body, Has, Status};
use crate::script::{get, step};

const TARGET: &str = "http://a.test/b/c?d";
const FRESH: &str = "cache-control: max-age=60";

/// 32 groups of 32 characters.
macro_rules! groups {
    () => {
        "\"group-00-xxxxxxxxxxxxxxxxxxxxxxx\", \
         \"group-01-xxxxxxxxxxxxxxxxxxxxxxx\", \
         \"group-02-xxxxxxxxxxxxxxxxxxxxxxx\", \
         \"group-03-xxxxxxxxxxxxxxxxxxxxxxx\", \
         \"group-04-xxxxxxxxxxxxxxxxxxxxxxx\", \
         \"group-05-xxxxxxxxxxxxxxxxxxxxxxx\", \
         \"group-06-xxxxxxxxxxxxxxxxxxxxxxx\", \
         \"group-07-xxxxxxxxxxxxxxxxxxxxxxx\", \
         \"group-08-xxxxxxxxxxxxxxxxxxxxxxx\", \
         \"group-09-xxxxxxxxxxxxxxxxxxxxxxx\", \
         \"group-10-xxxxxxxxxxxxxxxxxxxxxxx\", \
         \"group-11-xxxxxxxxxxxxxxxxxxxxxxx\", \
         \"group-12-xxxxxxxxxxxxxxxxxxxxxxx\", \
         \"group-13-xxxxxxxxxxxxxxxxxxxxxxx\", \
         \"group-14-xxxxxxxxxxxxxxxxxxxxxxx\", \
         \"group-15-xxxxxxxxxxxxxxxxxxxxxxx\", \
         \"group-16-xxxxxxxxxxxxxxxxxxxxxxx\", \
         \"group-17-xxxxxxxxxxxxxxxxxxxxxxx\", \
         \"group-18-xxxxxxxxxxxxxxxxxxxxxxx\", \
         \"group-19-xxxxxxxxxxxxxxxxxxxxxxx\", \
         \"group-20-xxxxxxxxxxxxxxxxxxxxxxx\", \
         \"group-21-xxxxxxxxxxxxxxxxxxxxxxx\", \
         \"group-22-xxxxxxxxxxxxxxxxxxxxxxx\", \
         \"group-23-xxxxxxxxxxxxxxxxxxxxxxx\", \
         \"group-24-xxxxxxxxxxxxxxxxxxxxxxx\", \
         \"group-25-xxxxxxxxxxxxxxxxxxxxxxx\", \
         \"group-26-xxxxxxxxxxxxxxxxxxxxxxx\", \
         \"group-27-xxxxxxxxxxxxxxxxxxxxxxx\", \
         \"group-28-xxxxxxxxxxxxxxxxxxxxxxx\", \
         \"group-29-xxxxxxxxxxxxxxxxxxxxxxx\", \
         \"group-30-xxxxxxxxxxxxxxxxxxxxxxx\", \
         \"group-31-xxxxxxxxxxxxxxxxxxxxxxx\""
    };
}

#[rustfmt::skip]
pub(crate) const ROWS: &[Row] = &[
    row("RFC 9111 §4.4", Must, "An unsafe method that succeeds (2xx, 3xx) makes the target invalid.", All(&[
        Invalidates("POST", 200, "", &[TARGET]),
        Invalidates("PUT", 201, "", &[TARGET]),
        Invalidates("DELETE", 204, "", &[TARGET]),
        Invalidates("PATCH", 303, "", &[TARGET]),
    ])),
    row("RFC 9111 §4.4", Must, "A method whose safety is unknown does so too.", All(&[
        Invalidates("M-SEARCH", 200, "", &[TARGET]), Invalidates("FOO", 301, "", &[TARGET]), Invalidates("get", 200, "", &[TARGET]),
    ])),
    row("RFC 9111 §4.4", Must, "One that fails does not.", All(&[
        Invalidates("POST", 400, "", &[]), Invalidates("PUT", 500, "", &[]), Invalidates("FOO", 405, "", &[]), Invalidates("DELETE", 404, "location: /x", &[]),
    ])),
    row("RFC 9111 §4.4", Rule, "A safe method never does.", All(&[
        Invalidates("GET", 200, "location: /x", &[]), Invalidates("HEAD", 200, "", &[]), Invalidates("OPTIONS", 200, "", &[]), Invalidates("QUERY", 200, "", &[]),
    ])),
    row("RFC 9111 §4.4", May, "Location and Content-Location of the same origin become invalid too.", All(&[
        Invalidates("POST", 201, "location: /x", &[TARGET, "http://a.test/x"]),
        Invalidates("POST", 200, "content-location: e", &[TARGET, "http://a.test/b/e"]),
        Invalidates("POST", 201, "location: /x\ncontent-location: http://A.test:80/y", &[TARGET, "http://a.test/x", "http://a.test/y"]),
        Invalidates("POST", 201, "location: http://a.test/b/c?d", &[TARGET]),
    ])),
    row("RFC 9111 §4.4", May, "They do as they are spelled, and in the normal form of RFC 3986 §6.2.2.", All(&[
        Invalidates("POST", 201, "location: /%7ex/%c3%a9", &[TARGET, "http://a.test/~x/%C3%A9", "http://a.test/%7ex/%c3%a9"]),
        Invalidates("POST", 303, "location: http://a.test/y/../x?%7e", &[TARGET, "http://a.test/x?%7e", "http://a.test/y/../x?%7e"]),
    ])),
    row("RFC 9111 §4.4", Must, "Never those of another origin.", All(&[
        Invalidates("POST", 201, "location: http://b.test/x", &[TARGET]),
        Invalidates("POST", 201, "location: https://a.test/x", &[TARGET]),
        Invalidates("POST", 201, "location: //b.test/x", &[TARGET]),
        Invalidates("POST", 201, "location: http://a.test:8080/x", &[TARGET]),
        Invalidates("POST", 201, "location: http://a.test@b.test/x", &[TARGET]),
    ])),
    row("RFC 9111 §4.4", Rule, "All variants of the URI become invalid.", Serves(Config::default, &[
        get("foo: 1").origin(200, "cache-control: max-age=60\nvary: foo", "1"),
        get("foo: 2").origin(200, "cache-control: max-age=60\nvary: foo", "2"),
        step("DELETE /", "").origin(204, "", ""),
        get("foo: 1").origin(200, FRESH, "3").gives(&[Body("3")]),
    ])),
    row("RFC 9111 §4.4", Rule, "Over the way of a request: POST, PUT, DELETE and unknown methods.", All(&[
        Serves(Config::default, &[get("").origin(200, FRESH, "1"), step("POST /", "").origin(200, "", ""), get("").origin(200, FRESH, "2").gives(&[Body("2")])]),
        Serves(Config::default, &[get("").origin(200, FRESH, "1"), step("FOO /", "").origin(200, "", ""), get("").origin(200, FRESH, "2").gives(&[Body("2")])]),
        Serves(Config::default, &[get("").origin(200, FRESH, "1"), step("POST /", "").origin(500, "", ""), get("").gives(&[Body("1")])]),
        Serves(Config::default, &[get("").origin(200, FRESH, "1"), step("POST /other", "").origin(200, "location: /", ""), get("").origin(200, FRESH, "2").gives(&[Body("2")])]),
        Serves(Config::default, &[get("").origin(200, FRESH, "1"), step("OPTIONS /", "").origin(200, "", ""), get("").gives(&[Body("1")])]),
    ])),
    row("RFC 9875 §3", Rule, "Cache-Group-Invalidation in the answer to an unsafe request takes the responses of that group out.", Serves(Config::default, &[
        step("GET /a", "").origin(200, "cache-control: max-age=60\ncache-groups: \"g\", \"h\"", "1"),
        step("GET /b", "").origin(200, "cache-control: max-age=60\ncache-groups: \"h\"", "2"),
        step("POST /x", "").origin(200, "cache-group-invalidation: \"g\"", ""),
        step("GET /a", "").origin(200, FRESH, "3").gives(&[Body("3")]),
        step("GET /b", "").gives(&[Body("2")]),
    ])),
    row("RFC 9875 §3", Must, "In the answer to a safe request it is ignored.", Serves(Config::default, &[
        step("GET /a", "").origin(200, "cache-control: max-age=60\ncache-groups: \"g\"", "1"),
        step("GET /x", "").origin(200, "cache-group-invalidation: \"g\"", ""),
        step("GET /a", "").gives(&[Body("1")]),
    ])),
    row("RFC 9875 §2", Must, "Groups belong to one origin, and their names are compared byte by byte.", Serves(Config::default, &[
        step("GET /a", "").origin(200, "cache-control: max-age=60\ncache-groups: \"g\"", "1"),
        step("POST http://b.test/x", "").origin(200, "cache-group-invalidation: \"g\"", ""),
        step("POST /x", "").origin(200, "cache-group-invalidation: \"G\"", ""),
        step("GET /a", "").gives(&[Body("1")]),
    ])),
    row("RFC 9875 §2", Must, "32 groups of 32 characters have room in one response; fewer tags than that are refused as a setting.", Serves(Config::default, &[
        step("GET /a", "").origin(200, concat!("cache-control: max-age=60\ncache-groups: ", groups!()), "1"),
        step("GET /a", "").gives(&[Body("1")]),
        step("POST /x", "").origin(200, "cache-group-invalidation: \"group-31-xxxxxxxxxxxxxxxxxxxxxxx\"", ""),
        step("GET /a", "").origin(200, FRESH, "2").gives(&[Body("2")]),
    ])),
    row("RFC 9875 §3", Must, "So they have in Cache-Group-Invalidation.", Serves(Config::default, &[
        step("GET /a", "").origin(200, "cache-control: max-age=60\ncache-groups: \"group-31-xxxxxxxxxxxxxxxxxxxxxxx\"", "1"),
        step("POST /x", "").origin(200, concat!("cache-group-invalidation: ", groups!()), ""),
        step("GET /a", "").origin(200, FRESH, "2").gives(&[Body("2")]),
    ])),
    row("RFC 9875 §2.2.1", Rule, "What goes with its group takes no other group of its own along: it does not cascade.", Serves(Config::default, &[
        step("GET /a", "").origin(200, "cache-control: max-age=60\ncache-groups: \"g\", \"h\"", "1"),
        step("GET /b", "").origin(200, "cache-control: max-age=60\ncache-groups: \"h\", \"i\"", "2"),
        step("GET /c", "").origin(200, "cache-control: max-age=60\ncache-groups: \"i\"", "3"),
        step("POST /x", "").origin(200, "cache-group-invalidation: \"g\"", ""),
        step("GET /b", "").gives(&[Body("2")]),
        step("GET /c", "").gives(&[Body("3")]),
    ])),
    row("RFC 9875 §2.2.1", Choice, "A response that an unsafe request makes invalid does not take its groups along, which the RFC would allow: an origin that means it says so.", Serves(Config::default, &[
        step("GET /a", "").origin(200, "cache-control: max-age=60\ncache-groups: \"g\"", "1"),
        step("GET /b", "").origin(200, "cache-control: max-age=60\ncache-groups: \"g\"", "2"),
        step("POST /a", "").origin(200, "", ""),
        step("GET /b", "").gives(&[Body("2")]),
        step("GET /a", "").origin(200, FRESH, "3").gives(&[Body("3")]),
    ])),
    row("RFC 9875 §3", Choice, "Cache-Group-Invalidation counts in the answer to an unsafe request that failed, too: RFC 9111 §4.4 spares what an error did not change, and here the origin names what changed all the same.", Serves(Config::default, &[
        step("GET /a", "").origin(200, "cache-control: max-age=60\ncache-groups: \"g\"", "1"),
        step("POST /x", "").origin(500, "cache-group-invalidation: \"g\"", ""),
        step("GET /a", "").origin(200, FRESH, "2").gives(&[Body("2")]),
    ])),
    row("RFC 9110 §9.2.1", Rule, "GET, HEAD, OPTIONS and TRACE are safe; POST, PUT, DELETE, PATCH and CONNECT are not.", All(&[
        Safe("GET", true), Safe("HEAD", true), Safe("OPTIONS", true), Safe("TRACE", true),
        Safe("POST", false), Safe("PUT", false), Safe("DELETE", false), Safe("PATCH", false), Safe("CONNECT", false),
    ])),
    row("RFC 9110 §9.3.3", May, "The answer to a POST with an explicit lifetime and a Content-Location of the target answers a later GET or HEAD.", All(&[
        Serves(Config::default, &[
            get("").origin(200, FRESH, "1"),
            step("POST /", "").origin(200, "cache-control: max-age=60\ncontent-location: /\nx-a: 1", "2").gives(&[Has("cache-status: Verve; fwd=method; fwd-status=200; stored")]),
            get("").gives(&[Body("2"), Has("x-a: 1"), Has("cache-status: Verve; hit; ttl=60")]),
            step("HEAD /", "").gives(&[Status(200), Body(""), Has("content-length: 1")]),
        ]),
        Serves(Config::default, &[
            step("POST /b?c", "").origin(200, "cdn-cache-control: max-age=60\ncontent-location: http://A.test:80/b?c", "2"),
            step("GET /b?c", "").later(59).gives(&[Body("2"), Has("age: 59")]),
            step("GET /b", "").origin(200, FRESH, "3").gives(&[Body("3")]),
        ]),
        Serves(Config::default, &[
            step("POST /", "foo: 1").origin(200, "cache-control: max-age=60\ncontent-location: /\nvary: foo", "2"),
            get("foo: 1").gives(&[Body("2")]),
            get("foo: 2").origin(200, FRESH, "3").gives(&[Body("3")]),
        ]),
    ])),
    row("RFC 9110 §9.3.3", Must, "Without one of the two, with another status or another URI it answers none.", All(&[
        Serves(Config::default, &[step("POST /", "").origin(200, "cache-control: max-age=60", "1").gives(&[Has("cache-status: Verve; fwd=method; fwd-status=200")]), get("").origin(200, FRESH, "2").gives(&[Body("2")])]),
        Serves(Config::default, &[step("POST /", "").origin(200, "content-location: /\nlast-modified: @-36000", "1"), get("").origin(200, FRESH, "2").gives(&[Body("2")])]),
        Serves(Config::default, &[step("POST /", "").origin(200, "content-location: /\ncache-control: no-cache\netag: \"1\"", "1"), get("").origin(200, FRESH, "2").gives(&[Body("2")])]),
        Serves(Config::default, &[step("POST /", "").origin(201, "cache-control: max-age=60\ncontent-location: /", "1"), get("").origin(200, FRESH, "2").gives(&[Body("2")])]),
        Serves(Config::default, &[step("POST /", "").origin(200, "cache-control: max-age=60\ncontent-location: /x", "1"), step("GET /x", "").origin(200, FRESH, "2").gives(&[Body("2")]), get("").origin(200, FRESH, "3").gives(&[Body("3")])]),
        Serves(Config::default, &[step("POST /", "").origin(200, "cache-control: max-age=60\ncontent-location: http://b.test/", "1"), get("").origin(200, FRESH, "2").gives(&[Body("2")]), step("GET http://b.test/", "").origin(200, FRESH, "3").gives(&[Body("3")])]),
        Serves(Config::default, &[step("POST /", "").origin(200, "cache-control: max-age=60, private\ncontent-location: /", "1"), get("").origin(200, FRESH, "2").gives(&[Body("2")])]),
        Serves(Config::default, &[step("PUT /", "").origin(200, "cache-control: max-age=60\ncontent-location: /", "1"), get("").origin(200, FRESH, "2").gives(&[Body("2")])]),
    ])),
    row("RFC 9110 §9.3.3", Must, "A POST is never answered from the store, not even with the answer to another POST.", Serves(Config::default, &[
        step("POST /", "").origin(200, "cache-control: max-age=60\ncontent-location: /", "1"),
        step("POST /", "").origin(200, "cache-control: max-age=60\ncontent-location: /", "2").gives(&[Body("2")]),
        get("").gives(&[Body("2")]),
    ])),
    row("RFC 9111 §3.3", Must, "The answer to a POST that ends before its length is not stored as complete.", Serves(Config::default, &[
        get("").origin(200, FRESH, "1"),
        step("POST /", "").origin(200, "cache-control: max-age=60\ncontent-location: /\ncontent-length: 9", "2"),
        get("").origin(200, FRESH, "3").gives(&[Body("3")]),
    ])),
];
