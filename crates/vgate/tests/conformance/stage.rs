//! A running gateway before a scripted origin, under a clock that stands still.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use crate::cache::{Config, SetCookie};
use http::HeaderMap;

use crate::client::{self, Ask, Protocol, Reply};
use crate::clock::Clock;
use crate::fixture::Gateway;
use crate::origin::{Answer, Origin, Play};

pub(crate) struct Stage {
    pub(crate) gateway: Gateway,
    pub(crate) origin: Origin,
    pub(crate) clock: Arc<Clock>,
    pub(crate) protocol: Protocol,
    pages: AtomicUsize,
}

/// An answer, and what the origin was asked for it.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) reply: Reply,
    pub(crate) asked: Vec<HeaderMap>,
}

impl Outcome {
    /// Whether the store has answered alone.
    pub(crate) fn is_stored(&self) -> bool {
        self.asked.is_empty() && self.reply.status != 504
    }
}

/// The rows' settings as a table of the gateway's file. The library's default for cookies is not
/// the gateway's.
pub(crate) fn table(config: Config) -> String {
    let set_cookie = config.set_cookie.or(Some(SetCookie::Store));
    toml::to_string(&Config { set_cookie, ..config }).unwrap()
}

impl Stage {
    /// Starts a gateway with the settings `cache`.
    pub(crate) fn start(protocol: Protocol, cache: &str) -> Self {
        Self::start_with(protocol, cache, "")
    }

    /// The same, with further tables in its file.
    pub(crate) fn start_with(protocol: Protocol, cache: &str, tables: &str) -> Self {
        let clock = Arc::new(Clock::at_noon());
        let origin = Origin::start(Arc::clone(&clock));
        // Once is enough where nothing is lost on the way; more would wait for a clock that
        // stands still.
        let route = "cache = \"main\"\nin_flight = \"all\"\nproxy = { tries = 1 }";
        let config = format!(
            "{}[in_flight.all]\nmax_in_flight = 1000\n[caches.main]\n{cache}\n{tables}",
            origin.sockets.config(route)
        );
        let gateway = Gateway::start_with(&config, &clock.environment());
        Self { gateway, origin, clock, protocol, pages: AtomicUsize::new(0) }
    }

    /// Sends a request and reads the answer; what goes on behind it has ended then.
    pub(crate) fn say(&self, request: &str, fields: &str, play: Play) -> Outcome {
        self.say_all(Ask { request, fields, content: "" }, play)
    }

    pub(crate) fn say_all(&self, ask: Ask<'_>, play: Play) -> Outcome {
        let before = self.origin.count();
        self.origin.will(play);
        let reply = client::ask(self.protocol, self.gateway.address, ask);
        self.settle();
        Outcome { reply, asked: self.origin.asked_since(before) }
    }

    /// Has the origin answer a GET of `page` with a 200.
    pub(crate) fn fill(&self, page: &str, fields: &str, body: &str) -> Outcome {
        self.say(&format!("GET {page}"), "", says(200, fields, body))
    }

    /// A GET that the origin would answer with `new`.
    pub(crate) fn get(&self, page: &str, fields: &str) -> Outcome {
        self.say(&format!("GET {page}"), fields, says(200, "cache-control: max-age=10", "new"))
    }

    /// Waits until nothing is fetched any more.
    fn settle(&self) {
        self.status_is("/caches/main/fetches", 0);
    }

    /// Waits until a figure of `/api/status` is `expected`.
    pub(crate) fn status_is(&self, figure: &str, expected: u64) {
        until(figure, || {
            let status = self.gateway.admin("/api/status").text();
            let status: serde_json::Value = serde_json::from_str(&status).unwrap();
            *status.pointer(figure).unwrap_or_else(|| panic!("no {figure}")) == expected
        });
    }

    /// A path that was not asked for yet.
    pub(crate) fn page(&self) -> String {
        format!("/{}", self.pages.fetch_add(1, Ordering::Relaxed))
    }

    /// Takes out everything that is stored, and lets everything be forgotten.
    pub(crate) fn empty(&self) {
        let done = self.gateway.purge(r#"{"everything": true, "hard": true}"#, "");
        assert_eq!(done.status, 200, "{done:?}");
        self.clock.advance(600);
    }
}

pub(crate) fn says(status: u16, fields: &str, body: &str) -> Play {
    Play::Says(Answer::new(status, fields, body))
}

/// Waits until something is so that the gateway's threads bring about.
pub(crate) fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    for _ in 0..60_000 {
        if is_so() {
            return;
        }
        std::thread::park_timeout(Duration::from_millis(1));
    }
    panic!("this does not come: {what}");
}
