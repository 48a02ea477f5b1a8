//! Records are what was written, or refused.

use proptest::collection::vec;
use proptest::prelude::*;

use super::response as written;
use super::*;

fn headers() -> impl Strategy<Value = HeaderMap> {
    let field = ("[a-z][a-z0-9-]{0,8}", "[ -~]{0,12}", any::<bool>());
    vec(field, 0..8).prop_map(|fields| {
        let mut headers = HeaderMap::new();
        for (name, value, sensitive) in fields {
            let mut value = HeaderValue::try_from(value).unwrap();
            value.set_sensitive(sensitive);
            headers.append(HeaderName::try_from(format!("x-{name}")).unwrap(), value);
        }
        headers
    })
}

fn terms(times: [u32; 6], bits: u8, vary: &[HeaderName]) -> Terms {
    let purged = times[0] % 2 == 1;
    let [received, age, lifetime, revalidate, error, unreachable] =
        times.map(|time| Duration::from_micros(u64::from(time)));
    Terms {
        freshness: Freshness::of(UNIX_EPOCH + received, age, lifetime),
        stale_while_revalidate: revalidate,
        stale_if_error: error,
        stale_if_unreachable: unreachable,
        forbids_stale: bits & 1 > 0,
        forbids_windows: bits & 2 > 0,
        always_validate: bits & 4 > 0,
        immutable: bits & 8 > 0,
        assumed: bits & 16 > 0,
        purged,
        normalise: Normalise::from_bits(bits >> 5 & 3).unwrap(),
        content_language: (bits & 128 > 0).then(|| "de".into()),
        vary: vary.to_vec(),
        omit: vec![http::header::SET_COOKIE],
    }
}

prop_compose! {
    fn records()(
        times: [u32; 6],
        bits: u8,
        headers in headers(),
        request in headers(),
        body: Vec<u8>,
        status in 200_u16..600,
        tags in vec("[a-z0-9-]{1,9}", 0..4),
        place: [u64; 2],
    ) -> Record {
        let status = if matches!(status, 206 | 304) { 404 } else { status };
        let mut names: Vec<HeaderName> = request.keys().cloned().collect();
        names.push(http::header::ACCEPT_ENCODING);
        names.sort_unstable_by(|a, b| a.as_str().cmp(b.as_str()));
        let terms = terms(times, bits, &names);
        let head = Head {
            status: StatusCode::from_u16(status).unwrap(),
            headers,
            vary: terms.variant(&request).with_verbatim(&request),
            tags: tags.iter().map(|tag| Tag::named(tag).unwrap()).collect(),
            received: terms.freshness.received(),
            terms,
            keep: Duration::ZERO,
            ahead: Ahead::default(),
        };
        let place = Place { journal: place[0], number: place[1] };
        let kind = Kind::Response(Box::new(Kept { place, head, body: body.into() }));
        Record { key: Key::of_url("http://a.test/b?c").unwrap(), kind }
    }
}

fn kept(record: &Record) -> &Kept {
    match &record.kind {
        Kind::Response(kept) => kept,
        Kind::Rule(rule) => panic!("{rule:?}"),
    }
}

proptest! {
    #[test]
    fn what_is_written_is_read(record in records()) {
        let bytes = record.to_bytes();
        let again = Record::parse(&bytes).unwrap();
        let (one, other) = (kept(&record), kept(&again));
        prop_assert_eq!(&again.key, &record.key);
        prop_assert_eq!((one.place, &one.body), (other.place, &other.body));
        prop_assert_eq!(&one.head.headers, &other.head.headers);
        prop_assert_eq!(&one.head.terms, &other.head.terms);
        prop_assert_eq!(&one.head.vary, &other.head.vary);
        prop_assert_eq!((one.head.status, &one.head.tags), (other.head.status, &other.head.tags));
        prop_assert_eq!(again.to_bytes(), bytes);
    }

    #[test]
    fn one_changed_bit_is_noticed(
        record in records(),
        at: prop::sample::Index,
        bit in 0..8_u32,
    ) {
        let mut bytes = record.to_bytes().to_vec();
        let at = at.index(bytes.len());
        bytes[at] ^= 1 << bit;
        prop_assert!(Record::parse(&bytes.into()).is_err());
    }

    /// Whoever can write there can make the checksum too.
    #[test]
    fn what_lies_is_refused_or_read_and_written_the_same(
        record in records(),
        at: prop::sample::Index,
        with: Vec<u8>,
        cut in 0_usize..9,
    ) {
        let mut bytes = record.to_bytes().to_vec();
        let at = SUMMED + at.index(bytes.len() - SUMMED);
        let end = (at + cut).min(bytes.len());
        bytes.splice(at..end, with);
        let sum = crc32fast::hash(&bytes[SUMMED..]);
        bytes[4..SUMMED].copy_from_slice(&sum.to_be_bytes());
        let bytes = Bytes::from(bytes);
        if let Ok(read) = Record::parse(&bytes) {
            // Lines of a name stand together when they are written again.
            let again = Record::parse(&read.to_bytes()).unwrap();
            prop_assert_eq!(again.to_bytes(), read.to_bytes());
        }
    }

    #[test]
    fn any_bytes_are_refused(bytes: Vec<u8>) {
        prop_assert!(Record::parse(&bytes.into()).is_err());
    }
}

#[test]
fn a_response_that_is_not_as_it_says_is_refused() {
    let response = |fields: &[(&str, &str)], status| {
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            headers.append(
                HeaderName::try_from(*name).unwrap(),
                HeaderValue::try_from(*value).unwrap(),
            );
        }
        let terms = terms([0; 6], 0, &[]);
        let (vary, status) = (VaryKey::default(), StatusCode::from_u16(status).unwrap());
        let vary = VaryKey::normalised(vary.names(), &HeaderMap::new(), terms.normalise);
        let key = Key::of_url("http://a/").unwrap();
        let bytes = written(
            &key,
            Place::default(),
            (status, &headers, &terms, &vary, &[]),
            &Bytes::from_static(b"four"),
        );
        Record::parse(&bytes).map(drop)
    };
    assert_eq!(response(&[("content-length", "4")], 200), Ok(()));
    assert_eq!(response(&[], 404), Ok(()));
    for fields in [
        &[("content-length", "5")][..],
        &[("content-length", "4"), ("content-length", "4")],
        &[("transfer-encoding", "chunked")],
        &[("connection", "close")],
    ] {
        assert_eq!(response(fields, 200), Err(RecordError::Damaged), "{fields:?}");
    }
    for status in [100, 206, 304, 600] {
        assert_eq!(response(&[], status), Err(RecordError::Damaged), "{status}");
    }
}

#[test]
fn versions_are_told_apart() {
    assert!(matches!(Record::parse(&"vhr\x02".into()), Err(RecordError::Version(2))));
    assert!(matches!(Record::parse(&"vhr\x01".into()), Err(RecordError::Damaged)));
    assert!(matches!(Record::parse(&"vhx\x01".into()), Err(RecordError::Foreign)));
    let rule = Rule {
        number: 5,
        normalise: Normalise::default(),
        names: vec![http::header::ACCEPT, http::header::COOKIE],
    };
    let record = Record { key: Key::of_url("http://a/").unwrap(), kind: Kind::Rule(rule) };
    let read = Record::parse(&record.to_bytes()).unwrap();
    assert!(read.response().is_none());
    match (read.kind, record.kind) {
        (Kind::Rule(one), Kind::Rule(other)) => assert_eq!(one, other),
        other => panic!("{other:?}"),
    }
}
