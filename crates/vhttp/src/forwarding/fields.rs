//! The names of the forwarding fields, and an element of `Forwarded` as it is written.

use std::fmt::Write as _;
use std::net::IpAddr;

use http::header::HeaderName;

use crate::list;

pub(super) const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
pub(super) const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
pub(super) const X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
pub(super) const X_REAL_IP: HeaderName = HeaderName::from_static("x-real-ip");

/// What a stranger may not say of itself, because origins believe it of their proxy.
///
/// Scheme: Rack reads `-Scheme` and `-Ssl`, gunicorn `-Protocol` and `-Ssl`. Path: `-Prefix`
/// (CVE-2020-15129), `X-Original-URL` and `X-Rewrite-URL` (CVE-2018-14773). Hosts and hops:
/// Apache's `-Server`, Tomcat's `-By`, Azure's `X-Original-Host`; `X-Host` and
/// `X-HTTP-Host-Override` are read by frameworks in place of `Host`.
pub(super) fn is_claim(name: &str) -> bool {
    let Some(rest) = name.strip_prefix("x-") else {
        return name == "forwarded";
    };
    match rest.strip_prefix("forwarded-") {
        Some(what) => matches!(
            what,
            "for"
                | "proto"
                | "host"
                | "port"
                | "by"
                | "prefix"
                | "protocol"
                | "scheme"
                | "server"
                | "ssl"
        ),
        None => matches!(
            rest,
            "real-ip"
                | "host"
                | "http-host-override"
                | "original-host"
                | "original-url"
                | "rewrite-url"
        ),
    }
}

/// An element of `Forwarded` (RFC 7239 §4).
pub(super) fn element(peer: IpAddr, scheme: &str, host: Option<&str>) -> String {
    let mut element = String::new();
    push_node(&mut element, peer);
    if let Some(host) = host {
        push_host(&mut element, host);
    }
    element.push_str(";proto=");
    element.push_str(scheme);
    element
}

/// Writes who asked; IPv6 stands in brackets and quotes (RFC 7239 §6).
pub(super) fn push_node(element: &mut String, address: IpAddr) {
    // Writing to a String cannot fail.
    let _ = match address {
        IpAddr::V4(v4) => write!(element, "for={v4}"),
        IpAddr::V6(v6) => write!(element, "for=\"[{v6}]\""),
    };
}

/// Writes which host was asked for: a token as it is, and anything else as a quoted string
/// (RFC 9110 §5.6.4).
pub(super) fn push_host(element: &mut String, host: &str) {
    element.push_str(";host=");
    if list::is_token(host) {
        return element.push_str(host);
    }
    element.push('"');
    for c in host.chars() {
        if matches!(c, '"' | '\\') {
            element.push('\\');
        }
        element.push(c);
    }
    element.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn version_six_is_quoted_and_hosts_are_escaped() {
        let peer = "2001:db8::1".parse().unwrap();
        assert_eq!(
            element(peer, "http", Some("a\"b")),
            r#"for="[2001:db8::1]";host="a\"b";proto=http"#
        );
        assert_eq!(element(peer, "http", None), r#"for="[2001:db8::1]";proto=http"#);
    }

    #[test]
    fn claims_are_told_from_other_fields() {
        for name in ["x-forwarded-for", "x-forwarded-ssl", "x-rewrite-url", "forwarded"] {
            assert!(is_claim(name), "{name}");
        }
        for name in ["x-forwarded", "x-forwarded-user", "x-original", "via", "x-", "forwarded-for"]
        {
            assert!(!is_claim(name), "{name}");
        }
    }
}
