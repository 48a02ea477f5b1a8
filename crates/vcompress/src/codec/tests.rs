//! Every codec gives back what went in, however it was cut, and what was flushed can be read.

use std::io::Read;

use proptest::collection::vec;
use proptest::prelude::*;

use crate::codec::Input;
use crate::codec::select::open;
use crate::coding::Coding;
use crate::keep::Encoder;

fn compiled() -> impl Iterator<Item = Coding> {
    Coding::ALL.into_iter().filter(|c| c.is_compiled_in())
}

/// Decodes by the codecs' own libraries; what is cut off gives what is there.
fn decode(coding: Coding, coded: &[u8]) -> Vec<u8> {
    let mut decoder: Box<dyn Read + '_> = match coding {
        #[cfg(feature = "gzip")]
        Coding::Gzip => Box::new(flate2::read::GzDecoder::new(coded)),
        #[cfg(feature = "gzip")]
        Coding::Deflate => Box::new(flate2::read::ZlibDecoder::new(coded)),
        #[cfg(feature = "brotli")]
        Coding::Brotli => Box::new(::brotli::Decompressor::new(coded, 4096)),
        #[cfg(feature = "zstd")]
        Coding::Zstd => Box::new(::zstd::stream::read::Decoder::new(coded).unwrap()),
        #[cfg(not(all(feature = "gzip", feature = "brotli", feature = "zstd")))]
        other => panic!("{other} is not compiled in, {} B", coded.len()),
    };
    let (mut plain, mut piece) = (Vec::new(), [0; 4096]);
    while let Ok(read) = decoder.read(&mut piece) {
        if read == 0 {
            break;
        }
        plain.extend_from_slice(&piece[..read]);
    }
    plain
}

/// Bytes that compress: few symbols, long repeats.
fn text(length: usize, seed: usize) -> Vec<u8> {
    (0..length).map(|i| b"abcdefgh \n"[(i * i / 7 + i / 13 + seed) % 10]).collect()
}

/// Bytes that do not: xorshift64*.
fn noise(length: usize) -> Vec<u8> {
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let mut next = || {
        state ^= state >> 12;
        state ^= state << 25;
        state ^= state >> 27;
        state.wrapping_mul(0x2545_F491_4F6C_DD1D).to_be_bytes()[0]
    };
    (0..length).map(|_| next()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Arbitrary cuts, flushes and levels; the encoder is used twice, as kept ones are.
    #[test]
    fn what_goes_in_comes_out(
        pieces in vec((vec(any::<u8>(), 0..300), 0usize..40_000, any::<bool>()), 0..8),
        level in -9i32..14,
    ) {
        for coding in compiled() {
            for _ in 0..2 {
                let mut encoder = Encoder::take(coding, level.min(9), Input::Stream).unwrap();
                let (mut plain, mut coded) = (Vec::new(), Vec::new());
                for (raw, length, flush) in &pieces {
                    for piece in [raw, &text(*length, raw.len())] {
                        plain.extend_from_slice(piece);
                        encoder.codec().write(piece, &mut coded).unwrap();
                    }
                    if *flush {
                        encoder.codec().flush(&mut coded).unwrap();
                    }
                }
                encoder.codec().finish(&mut coded).unwrap();
                encoder.put_back();
                prop_assert!(decode(coding, &coded) == plain, "{}", coding);
            }
        }
    }

    #[test]
    fn whole_bodies_come_out(raw in vec(any::<u8>(), 0..3000), length in 0usize..300_000) {
        let mut plain = raw;
        plain.extend(text(length, 3));
        let plain = bytes::Bytes::from(plain);
        for coding in compiled() {
            if let Some(coded) = crate::whole::encode(coding, 4, &plain) {
                prop_assert!(coded.len() < plain.len());
                prop_assert!(decode(coding, &coded) == plain, "{}", coding);
            }
        }
    }
}

#[test]
fn what_was_flushed_can_be_read_before_the_end() {
    for coding in compiled() {
        let mut codec = open(coding, 5).unwrap();
        codec.fit(Input::Stream).unwrap();
        let (mut plain, mut coded) = (Vec::new(), Vec::new());
        for event in 0..50 {
            let event = format!("data: {{\"n\":{event}}}\n\n");
            codec.write(event.as_bytes(), &mut coded).unwrap();
            codec.flush(&mut coded).unwrap();
            plain.extend_from_slice(event.as_bytes());
            assert_eq!(decode(coding, &coded), plain, "{coding}");
        }
    }
}

#[test]
fn noise_is_left_plain_and_text_is_not() {
    for coding in compiled() {
        for length in [0, 1, 20, 1024, 65_536] {
            let noise = bytes::Bytes::from(noise(length));
            assert_eq!(crate::whole::encode(coding, 5, &noise), None, "{coding} {length}");
        }
        let text = bytes::Bytes::from(text(200_000, 0));
        let coded = crate::whole::encode(coding, 5, &text).unwrap();
        assert!(coded.len() * 2 < text.len(), "{coding}: {}", coded.len());
    }
}

#[test]
fn an_encoder_that_failed_to_fit_is_whole_again() {
    for coding in compiled() {
        for _ in 0..3 {
            assert_eq!(crate::whole::encode(coding, 5, &noise(4096).into()), None);
            let plain = bytes::Bytes::from(text(4096, 1));
            let coded = crate::whole::encode(coding, 5, &plain).unwrap();
            assert_eq!(decode(coding, &coded), plain, "{coding}");
        }
    }
}

#[test]
fn an_empty_body_is_still_a_valid_one() {
    for coding in compiled() {
        let mut codec = open(coding, 5).unwrap();
        codec.fit(Input::Stream).unwrap();
        let mut coded = Vec::new();
        codec.finish(&mut coded).unwrap();
        assert!(!coded.is_empty());
        assert_eq!(decode(coding, &coded), b"");
    }
}

#[test]
fn every_level_works() {
    let plain = text(20_000, 5);
    for coding in compiled() {
        for level in coding.levels() {
            let mut codec = open(coding, level).unwrap();
            codec.fit(Input::Whole(plain.len())).unwrap();
            let mut coded = Vec::with_capacity(plain.len());
            assert!(codec.whole(&plain, &mut coded).unwrap(), "{coding} {level}");
            assert_eq!(decode(coding, &coded), plain, "{coding} {level}");
        }
    }
}

#[test]
fn what_is_not_compiled_in_cannot_be_opened() {
    for coding in Coding::ALL {
        let opened = open(coding, 1);
        assert_eq!(opened.is_ok(), coding.is_compiled_in(), "{coding}");
    }
}
