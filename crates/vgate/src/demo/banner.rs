//! What the demo prints: where everything is, and lines to paste.

use std::fmt::Write as _;
use std::net::SocketAddr;

use anstyle::{AnsiColor, Style};

use crate::demo::origin::{HABITS, STOP};

/// The table of addresses and the lines to try.
pub(crate) fn banner(
    gateway: SocketAddr,
    admin: SocketAddr,
    origins: &[SocketAddr],
    coloured: bool,
) -> String {
    let mut page = Page { text: String::new(), coloured };
    page.addresses(gateway, admin, origins);
    page.head("Try, in another terminal");
    page.requests(gateway);
    if let Some(first) = origins.first() {
        let stop = format!("curl -X POST 'http://{first}{STOP}?for=30s'");
        page.line("stop an origin for 30 s: no GET is lost", &stop);
    }
    page.cache(gateway, admin);
    page.line("what the gateway sees", &format!("curl -s http://{admin}/api/status"));
    page.text.push_str("\nCtrl-C drains and ends it.\n");
    page.text
}

/// Prints the head of an answer and nothing else.
const HEAD: &str = "curl -s -o /dev/null -D -";

struct Page {
    text: String,
    coloured: bool,
}

impl Page {
    fn paint(&self, style: Style, text: &str) -> String {
        if self.coloured { format!("{style}{text}{style:#}") } else { text.to_owned() }
    }

    fn head(&mut self, text: &str) {
        let painted = self.paint(Style::new().bold(), text);
        // Writing to a String cannot fail.
        let _ = writeln!(self.text, "\n{painted}");
    }

    fn addresses(&mut self, gateway: SocketAddr, admin: SocketAddr, origins: &[SocketAddr]) {
        self.head("Verve demo: three origins, one gateway");
        self.row("gateway", &format!("http://{gateway}/"));
        for page in ["api/status", "metrics", "health"] {
            self.row(page, &format!("http://{admin}/{page}"));
        }
        for (habit, at) in HABITS.iter().zip(origins) {
            self.row(&format!("origin {}", habit.name), &format!("http://{at}/"));
        }
    }

    fn requests(&mut self, gateway: SocketAddr) {
        let products = format!("http://{gateway}/api/products");
        self.line(
            "the second time it is a hit: see Cache-Status and Age",
            &format!("{HEAD} {products}"),
        );
        for coding in ["br", "gzip", "zstd"] {
            let line = format!("{HEAD} -H 'Accept-Encoding: {coding}' {products}");
            self.line(&format!("coded with {coding}: see Content-Encoding"), &line);
        }
        let burst = format!(
            "for i in 1 2 3 4 5 6 7 8; do curl -s -o /dev/null \
             -w '%{{http_code}} %header{{retry-after}}\\n' http://{gateway}/limited; done"
        );
        self.line("a burst: 5 pass, then 429 with Retry-After", &burst);
        self.line("nothing private is stored", &format!("{HEAD} http://{gateway}/private"));
    }

    fn cache(&mut self, gateway: SocketAddr, admin: SocketAddr) {
        let products = format!("http://{gateway}/api/products");
        self.line("a part of what is stored", &format!("curl -s -D - -r 0-19 {products}"));
        let purge = format!(
            "curl -s http://{admin}/api/purge -H 'Content-Type: application/json' \
             -d '{{\"tag\": \"api\"}}'"
        );
        self.line("all with `Surrogate-Key: api` is stale from now on", &purge);
        let explain = format!("curl -s -G http://{admin}/api/explain -d url={products}");
        self.line("why a request is answered as it is; `vgate explain` prints it", &explain);
    }

    fn row(&mut self, name: &str, url: &str) {
        let url = self.paint(AnsiColor::Cyan.on_default().underline(), url);
        let _ = writeln!(self.text, "  {name:<16} {url}");
    }

    fn line(&mut self, what: &str, command: &str) {
        let what = self.paint(AnsiColor::BrightBlack.on_default(), &format!("# {what}"));
        let command = self.paint(AnsiColor::Green.on_default(), command);
        let _ = writeln!(self.text, "  {what}\n  {command}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_banner_names_every_address() {
        let at = |port| SocketAddr::from(([127, 0, 0, 1], port));
        let text = banner(at(8080), at(9900), &[at(1), at(2), at(3)], false);
        for part in [
            "http://127.0.0.1:8080/",
            "http://127.0.0.1:9900/metrics",
            "http://127.0.0.1:3/",
            "Accept-Encoding: zstd",
        ] {
            assert!(text.contains(part), "{part} in\n{text}");
        }
        assert!(!text.contains('\u{1b}'));
    }
}
