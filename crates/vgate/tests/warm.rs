//! Filling the caches of a running gateway before anybody asks.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::disallowed_methods,
    clippy::disallowed_types,
    clippy::indexing_slicing,
    missing_docs,
    reason = "tests of a process, in real time"
)]

mod fixture;

use std::fs;
use std::io::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

use fixture::{Gateway, Origin, vgate};
use serde_json::Value;

/// An origin whose pages can be kept for ten minutes, but for those that say otherwise.
fn site() -> Origin {
    Origin::start(|head, stream| {
        let path = head.split(' ').nth(1).unwrap();
        let host = head.lines().find_map(|line| line.strip_prefix("host: ")).unwrap_or("test");
        let (status, control, body) = match path {
            "/gone" => (404, "max-age=600", "gone".to_owned()),
            "/private" => (200, "no-store", "mine".to_owned()),
            "/short" => (200, "max-age=2", "short".to_owned()),
            "/maps.xml" => {
                let map = format!("<sitemap><loc>http://{host}/map.xml</loc></sitemap>");
                (200, "no-store", format!("<sitemapindex>{map}</sitemapindex>"))
            }
            "/map.xml" => {
                let page = |page| format!("<url><loc>http://{host}/m/{page}?a&amp;b</loc></url>");
                (200, "no-store", format!("<urlset>{}{}</urlset>", page(1), page(2)))
            }
            page => (200, "max-age=600", format!("page {page}")),
        };
        let length = body.len();
        let fields = format!("Cache-Control: {control}\r\nVary: Accept-Language\r\n");
        let _ =
            write!(stream, "HTTP/1.1 {status} X\r\n{fields}Content-Length: {length}\r\n\r\n{body}");
    })
}

fn config(origin: &Origin, warm: &str) -> String {
    format!(
        "{}[caches.main]\n[rate_limits.few]\nrate = \"1/h\"\nburst = 20\n{warm}",
        origin.config("cache = \"main\"\nrate_limit = \"few\"")
    )
}

fn status(gateway: &Gateway) -> Value {
    let status: Value = serde_json::from_str(&gateway.admin("/api/status").text()).unwrap();
    status["warming"].clone()
}

/// Waits until the status of warming is as `wanted`.
fn until(gateway: &Gateway, wanted: impl Fn(&Value) -> bool) -> Value {
    let began = Instant::now();
    loop {
        let status = status(gateway);
        if wanted(&status) {
            return status;
        }
        assert!(began.elapsed() < Duration::from_secs(60), "{status:#}");
        sleep(Duration::from_millis(50));
    }
}

#[test]
fn what_is_warmed_is_what_clients_look_up_and_no_limit_is_in_the_way() {
    let (origin, folder) = (site(), tempfile::tempdir().unwrap());
    let list = folder.path().join("urls.txt");
    fs::write(&list, "# pages\n/l/1\n\n  http://test/l/2\n/p/1\n").unwrap();
    let warm = format!(
        "[warm]\nbarrier = \"listening\"\n[[warm.patterns]]\nbase = \"http://Test\"\n\
         urls = [\"/p/{{1..20}}\", \"/x/../w/{{a,b}}\"]\nlist = '{}'\nsitemap = \"/maps.xml\"\n\
         variants = [{{}}, {{ accept-language = \"de\" }}]\n",
        list.display()
    );
    let gateway = Gateway::start(&config(&origin, &warm));
    let warmed = until(&gateway, |warmed| warmed["rounds"] == 1);
    assert_eq!((&warmed["keys"], &warmed["loaded"]), (&52.into(), &52.into()), "{warmed:#}");
    // The pages in both variants, and the two sitemaps.
    assert_eq!(origin.count.load(Ordering::SeqCst), 54);
    for path in ["/p/1", "/p/20", "/w/b", "/l/1", "/l/2", "/m/2?a&b"] {
        for fields in ["", "Accept-Language: de\r\n"] {
            let answer = gateway.get_with(path, fields);
            let said = answer.header("cache-status");
            assert!(answer.status == 200 && said.contains("; hit"), "{path}: {said}");
        }
    }
    assert!(
        gateway.get_with("/p/1", "Accept-Language: fr\r\n").header("cache-status").contains("fwd=")
    );
    let metrics = gateway.admin("/metrics").text();
    for line in [
        "vcache_warm_keys_total{outcome=\"loaded\",pattern=\"pattern-1\",warmer=\"vgate\"} 52",
        "vcache_warm_rounds_total{warmer=\"vgate\"} 1",
    ] {
        assert!(metrics.contains(line), "{line} in\n{metrics}");
    }
}

#[test]
fn what_cannot_be_warmed_is_counted_and_said_and_harms_nothing() {
    let origin = site();
    let warm = "[warm]\ntimeout = \"20s\"\n[[warm.patterns]]\nname = \"mixed\"\nbase = \"http://test\"\n\
        urls = [\"/gone\", \"/private\", \"/good\"]\n\
        [[warm.patterns]]\nname = \"listed\"\npriority = 3\nlist = \"/nowhere/at.all\"\n\
        [[warm.patterns]]\nname = \"mapped\"\nsitemap = \"http://test/good\"\n";
    let mut gateway = Gateway::start(&config(&origin, warm));
    let warmed = until(&gateway, |warmed| warmed["rounds"] == 1);
    assert_eq!((&warmed["loaded"], &warmed["failed"]), (&1.into(), &2.into()), "{warmed:#}");
    let patterns = warmed["patterns"].as_array().unwrap();
    let said = |place: usize| patterns[place]["last_error"].as_str().unwrap().to_owned();
    assert_eq!(
        (&patterns[0]["name"], &patterns[0]["failed_rounds"]),
        (&"listed".into(), &1.into())
    );
    assert!(said(0).starts_with("/nowhere/at.all: "), "{}", said(0));
    assert!(said(1).starts_with("http://test/"), "{}", said(1));
    assert!(said(2).contains("it is no sitemap"), "{}", said(2));
    assert!(gateway.wait_for("not all could be warmed").contains("/nowhere/at.all"));
    assert!(gateway.wait_for("warmed").contains("\"failed\":2"));
    assert!(gateway.get("/good").header("cache-status").contains("; hit"));
}

#[test]
fn what_stays_fresh_is_left_alone_and_the_rest_is_fetched_before_it_expires() {
    let origin = site();
    let warm = "[warm]\ninterval = \"1s\"\n[[warm.patterns]]\nname = \"long\"\nurls = [\"http://test/long\"]\n\
        [[warm.patterns]]\nname = \"short\"\nurls = [\"http://test/short\"]\n";
    let gateway = Gateway::start(&config(&origin, warm));
    let warmed = until(&gateway, |warmed| {
        warmed["patterns"][1]["loaded"].as_u64() >= Some(3)
            && warmed["patterns"][0]["rounds"].as_u64() >= Some(3)
    });
    assert_eq!(warmed["patterns"][0]["loaded"], 1, "{warmed:#}");
    let asked = |path: &str| {
        let heads = origin.heads.lock().unwrap();
        heads.iter().filter(|head| head.contains(path)).count()
    };
    assert!(asked("/short") >= 3);
    assert_eq!(asked("/long"), 1);
}

#[test]
fn it_is_not_ready_before_the_caches_are() {
    let (open, site) = (Arc::new(AtomicBool::new(false)), site());
    let is_open = Arc::clone(&open);
    let origin = Origin::start(move |_, stream| {
        while !is_open.load(Ordering::SeqCst) {
            sleep(Duration::from_millis(10));
        }
        let fields = "Cache-Control: max-age=60\r\nContent-Length: 2";
        let _ = write!(stream, "HTTP/1.1 200 OK\r\n{fields}\r\n\r\nok");
    });
    let warm = "[warm]\nbarrier = \"ready\"\n[[warm.patterns]]\nurls = [\"http://test/a\"]\n";
    let mut gateway = Gateway::begin(&config(&origin, warm), &[]);
    until(&gateway, |warmed| warmed["keys"] == 1);
    assert_eq!(gateway.admin("/ready").status, 503);
    open.store(true, Ordering::SeqCst);
    gateway.wait_for("ready");
    assert_eq!((gateway.admin("/ready").status, &status(&gateway)["loaded"]), (200, &1.into()));
    // A reload warms what the new file wants, with the new routes; and nothing if it wants none.
    let warm = "[[warm.patterns]]\nurls = [\"http://test/b\"]\n";
    gateway.reload(&config(&site, warm));
    gateway.wait_for("reloaded");
    until(&gateway, |warmed| warmed["loaded"] == 1);
    assert!(gateway.get("/b").header("cache-status").contains("; hit"));
    gateway.reload(&config(&site, ""));
    gateway.wait_for("reloaded");
    assert_eq!(status(&gateway), Value::Null);
}

#[test]
fn a_signal_ends_the_waiting_for_the_caches() {
    let origin = Origin::start(|_, _| sleep(Duration::from_secs(3600)));
    let warm = "[warm]\ntimeout = \"1h\"\nbarrier = \"listening\"\nbarrier_timeout = \"1h\"\n\
        [[warm.patterns]]\nurls = [\"http://test/a\"]\n";
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("vgate.toml");
    fs::write(&file, format!("[admin]\nenabled = false\n{}", config(&origin, warm))).unwrap();
    let mut child = vgate().args(["run", "--config"]).arg(&file).spawn().unwrap();
    let began = Instant::now();
    while origin.count.load(Ordering::SeqCst) == 0 {
        assert!(began.elapsed() < Duration::from_secs(60));
        sleep(Duration::from_millis(20));
    }
    let pid = child.id().to_string();
    assert!(std::process::Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
    assert!(child.wait().unwrap().success());
}

#[test]
fn every_mistake_is_shown_at_its_place() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("vgate.toml");
    let config = r#"
[upstreams.app]
endpoints = ["http://127.0.0.1:1"]
[caches.main]
[[routes]]
path = "/a"
cache = "main"
[[routes]]
path = "/b"
[warm]
interval = "0s"
[[warm.patterns]]
urls = ["http://test/a", "/a", "http://test/b", "http://test/c", "http://test/a/{3..1}"]
[[warm.patterns]]
name = "pattern-1"
base = "http://test/a"
sitemap = "ftp://test/"
variants = [{ "no field" = "x" }]
interval = "0s"
[[warm.patterns]]
priority = 3
"#;
    fs::write(&file, config).unwrap();
    let output = vgate().args(["check", "--config"]).arg(&file).output().unwrap();
    let text = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{text}");
    for words in [
        "without a pause",
        "`/a` is no whole URL",
        "the route of `http://test/b`, `/b`, has no cache",
        "no route takes `http://test/c`",
        "`{3..1}` is no range",
        "another pattern is named `pattern-1`",
        "`http://test/a` has a path",
        "`ftp://test/` begins neither with",
        "`no field: x` is no field",
        "names nothing to warm",
        "11 mistakes",
    ] {
        assert!(text.contains(words), "{words} in\n{text}");
    }
}
