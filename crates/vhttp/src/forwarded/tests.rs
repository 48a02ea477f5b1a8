//! The walk through trusted hops, whatever clients write.

use http::HeaderValue;
use proptest::prelude::*;

use super::*;

fn client(peer: &str, fields: &[(&'static str, &str)]) -> String {
    let trusted = TrustedProxies::parse(["10.0.0.0/8", "fd00::/8"]).unwrap();
    let mut headers = HeaderMap::new();
    for (name, value) in fields {
        headers.append(*name, HeaderValue::from_str(value).unwrap());
    }
    trusted.client(peer.parse().unwrap(), &headers).to_string()
}

#[test]
fn x_forwarded_for_is_walked_from_the_right() {
    for (value, expected) in [
        ("", "10.0.0.1"),
        ("1.1.1.1", "1.1.1.1"),
        ("1.1.1.1:4711", "1.1.1.1"),
        ("6.6.6.6, 1.1.1.1", "1.1.1.1"),
        ("6.6.6.6, 1.1.1.1, 10.0.0.9", "1.1.1.1"),
        ("10.0.0.7, 10.0.0.9", "10.0.0.7"),
        ("1.1.1.1, unknown, 10.0.0.9", "10.0.0.9"),
        ("1.1.1.1, 10.0.0.9, junk", "10.0.0.1"),
        ("2001:db8::1", "2001:db8::1"),
        ("[2001:db8::1]:443, fd00::7", "2001:db8::1"),
        ("::ffff:1.1.1.1", "1.1.1.1"),
    ] {
        assert_eq!(client("10.0.0.1", &[("x-forwarded-for", value)]), expected, "{value}");
    }
}

#[test]
fn the_last_line_is_the_nearest() {
    let fields = [("x-forwarded-for", "6.6.6.6"), ("x-forwarded-for", "1.1.1.1, 10.0.0.2")];
    assert_eq!(client("::ffff:10.0.0.1", &fields), "1.1.1.1");
}

#[test]
fn forwarded_is_read_when_the_other_is_absent() {
    for (value, expected) in [
        ("for=1.1.1.1", "1.1.1.1"),
        ("proto=https;For=\"[2001:db8::1]:47011\"", "2001:db8::1"),
        ("for=6.6.6.6, for=1.1.1.1;by=10.0.0.2, for=10.0.0.2", "1.1.1.1"),
        ("for=\"_gazonk\"", "10.0.0.1"),
        ("by=1.1.1.1", "10.0.0.1"),
        ("for=\"1.1.1.1", "10.0.0.1"),
    ] {
        assert_eq!(client("10.0.0.1", &[("forwarded", value)]), expected, "{value}");
    }
    let both = [("forwarded", "for=6.6.6.6"), ("x-forwarded-for", "1.1.1.1")];
    assert_eq!(client("10.0.0.1", &both), "1.1.1.1");
}

#[test]
fn a_stranger_is_the_client_whatever_it_says() {
    let fields = [("x-forwarded-for", "1.1.1.1"), ("forwarded", "for=1.1.1.1")];
    assert_eq!(client("198.51.100.1", &fields), "198.51.100.1");
}

#[cfg(feature = "serde")]
#[test]
fn a_file_holds_a_list_of_texts() {
    let json = r#"["10.0.0.0/8","::1"]"#;
    let trusted: TrustedProxies = serde_json::from_str(json).unwrap();
    assert_eq!(serde_json::to_string(&trusted).unwrap(), json);
    let error = serde_json::from_str::<TrustedProxies>(r#"["10.0.0.0/99"]"#).unwrap_err();
    assert!(error.to_string().contains("prefix"), "{error}");
}

proptest! {
    /// Whatever a client writes, the hop that our own proxy added decides.
    #[test]
    fn what_clients_write_does_not_matter(theirs in "[ -~]{0,40}", ours: std::net::Ipv4Addr) {
        prop_assume!(ours.octets()[0] != 10);
        let value = format!("{theirs}, {ours}");
        prop_assert_eq!(client("10.0.0.1", &[("x-forwarded-for", &value)]), ours.to_string());
    }

    #[test]
    fn no_field_panics(value in "[ -~]{0,60}") {
        let _ = client("10.0.0.1", &[("forwarded", &value)]);
        let _ = client("10.0.0.1", &[("x-forwarded-for", &value)]);
    }
}
