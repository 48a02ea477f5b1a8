//! A stored response as foreign bytes, with a checksum that is right as often as not.
#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use vcache::http::Record;

fuzz_target!(|data: &[u8]| {
    let Some((mode, rest)) = data.split_first() else {
        return;
    };
    let mut bytes = rest.to_vec();
    if mode & 1 == 1 {
        // Whoever can write there can make the head too.
        bytes = b"vhr\x01....".iter().chain(rest).copied().collect();
        let sum = crc32fast::hash(rest);
        bytes[4..8].copy_from_slice(&sum.to_be_bytes());
    }
    let Ok(record) = Record::parse(&Bytes::from(bytes)) else {
        return;
    };
    if let Some((status, headers, body)) = record.response() {
        assert!(status.as_u16() >= 200 && status.as_u16() != 304);
        let length = headers.get("content-length").map(|value| value.to_str().unwrap());
        assert!(length.is_none_or(|length| length == body.len().to_string()));
        assert!(!headers.contains_key("transfer-encoding"));
    }
    // Lines of a name stand together when they are written again.
    let written = Record::parse(&record.to_bytes()).unwrap().to_bytes();
    assert_eq!(Record::parse(&written).unwrap().to_bytes(), written);
});
