//! What the demo's origins serve: a page, a JSON API, static files, and paths that misbehave.

use std::fmt::Write as _;
use std::time::SystemTime;

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, SET_COOKIE};
use http::{HeaderValue, Request, Response, StatusCode};
use verve::http::{Body, date};

/// A served thing: its type, how long it may be kept, and its bytes.
struct Page {
    kind: &'static str,
    keep: &'static str,
    body: Bytes,
}

const STYLE: &str = "body{font:16px/1.5 system-ui;margin:3rem auto;max-width:40rem}\
                     code{background:#eee;padding:.1em .3em;border-radius:.2em}\n";

const SCRIPT: &str = "document.querySelector('time').textContent=new Date().toISOString();\n";

/// Answers what needs no special behaviour; `origin` names itself in `X-Origin`.
pub(crate) fn answer(request: &Request<Body>, origin: &'static str) -> Response<Body> {
    let page = match request.uri().path() {
        "/" => html(),
        "/api/products" | "/slow" | "/limited" => products(),
        "/api/time" => time(),
        "/static/style.css" => fixed("text/css", STYLE),
        "/static/app.js" => fixed("text/javascript", SCRIPT),
        "/private" => Page { kind: "text/plain", keep: "private", body: "only for you\n".into() },
        _ => return missing(origin),
    };
    page.into_response(origin)
}

impl Page {
    fn into_response(self, origin: &'static str) -> Response<Body> {
        let page = self;
        let etag = format!("\"{:x}\"", checksum(&page.body));
        let mut response = Response::new(Body::full(page.body));
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(page.kind));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static(page.keep));
        headers.insert("x-origin", HeaderValue::from_static(origin));
        if let Ok(etag) = HeaderValue::from_str(&etag) {
            headers.insert(ETAG, etag);
        }
        if page.kind == "application/json" {
            headers.insert("surrogate-key", HeaderValue::from_static("api"));
        }
        if page.keep == "private" {
            headers.insert(SET_COOKIE, HeaderValue::from_static("visitor=1; HttpOnly"));
        }
        response
    }
}

fn missing(origin: &'static str) -> Response<Body> {
    let mut response = Response::new(Body::full("no such page\n"));
    *response.status_mut() = StatusCode::NOT_FOUND;
    response.headers_mut().insert("x-origin", HeaderValue::from_static(origin));
    response
}

fn fixed(kind: &'static str, text: &'static str) -> Page {
    let body = text.repeat(20).into();
    Page { kind, keep: "public, max-age=3600, immutable", body }
}

fn html() -> Page {
    let mut text = String::from(
        "<!doctype html><title>Verve demo</title><link rel=stylesheet href=/static/style.css>\
         <h1>It works</h1><p>This page came through the gateway. <time></time></p><ul>",
    );
    for path in ["/api/products", "/api/time", "/private", "/slow", "/flaky", "/limited"] {
        // Writing to a String cannot fail.
        let _ = write!(text, "<li><a href={path}><code>{path}</code></a>");
    }
    text.push_str("</ul><script src=/static/app.js></script>\n");
    text.push_str(&"<!-- a page has some weight, so that coding it pays -->\n".repeat(30));
    Page { kind: "text/html; charset=utf-8", keep: "public, max-age=10", body: text.into() }
}

fn products() -> Page {
    let mut text = String::from("[");
    for id in 1..=150u32 {
        let comma = if id == 1 { "" } else { "," };
        let (stock, price) = (id * 7919 % 100, id * 613 % 5000);
        let _ = write!(
            text,
            "{comma}\n{{\"id\":{id},\"name\":\"Product {id}\",\"stock\":{stock},\"cents\":{price}}}"
        );
    }
    text.push_str("\n]\n");
    Page {
        kind: "application/json",
        keep: "public, max-age=10, stale-while-revalidate=30, stale-if-error=300",
        body: text.into(),
    }
}

fn time() -> Page {
    let body = format!("{{\"now\":\"{}\"}}\n", date::format(SystemTime::now()));
    Page { kind: "application/json", keep: "no-store", body: body.into() }
}

/// FNV-1a, so that equal pages of different origins have equal entity tags.
fn checksum(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn get(path: &str) -> Response<Body> {
        answer(&Request::builder().uri(path).body(Body::empty()).unwrap(), "swift")
    }

    #[test]
    fn every_origin_gives_the_same_entity_tag() {
        let request = Request::builder().uri("/api/products").body(Body::empty()).unwrap();
        let (a, b) = (answer(&request, "swift"), answer(&request, "steady"));
        assert_eq!(a.headers()[ETAG], b.headers()[ETAG]);
        assert_ne!(a.headers()["x-origin"], b.headers()["x-origin"]);
    }

    #[test]
    fn what_is_private_says_so() {
        assert_eq!(get("/private").headers()[CACHE_CONTROL], "private");
        assert_eq!(get("/api/time").headers()[CACHE_CONTROL], "no-store");
        assert_eq!(get("/nowhere").status(), StatusCode::NOT_FOUND);
    }
}
