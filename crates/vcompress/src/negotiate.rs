//! What the client accepts: the weights of `Accept-Encoding` (RFC 9110 §12.5.3).

use http::HeaderMap;
use http::header::ACCEPT_ENCODING;

use crate::coding::Coding;

/// Members of the list beyond this many are not read: nobody has so many codings.
const MAX_MEMBERS: usize = 32;

/// The weights of one request, in thousandths.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Accepted {
    named: [Option<u16>; Coding::ALL.len()],
    any: Option<u16>,
    identity: Option<u16>,
}

impl Accepted {
    /// Reads the request's fields. Without the field nothing but identity is accepted: the RFC
    /// lets a server code then, but clients that say nothing seldom can decode.
    pub(crate) fn of(request: &HeaderMap) -> Self {
        let mut accepted = Self::default();
        for member in
            vhttp::weighted::parse(request, &ACCEPT_ENCODING).into_iter().take(MAX_MEMBERS)
        {
            // Parameters of codings mean nothing; what is refused with one is refused.
            let name = member.value.split(';').next().unwrap_or_default();
            if let Some(slot) = accepted.slot(name.trim_end()) {
                // A coding named twice keeps its first weight.
                slot.get_or_insert(member.weight);
            }
        }
        accepted
    }

    fn slot(&mut self, name: &str) -> Option<&mut Option<u16>> {
        match name {
            "*" => Some(&mut self.any),
            name if name.eq_ignore_ascii_case("identity") => Some(&mut self.identity),
            name => self.named.get_mut(Coding::from_name(name)?.index()),
        }
    }

    fn weight(&self, coding: Coding) -> u16 {
        let named = self.named.get(coding.index()).copied().flatten();
        named.or(self.any).unwrap_or(0)
    }

    /// The coding that the client likes best; among equals the first of `order`. `None` is
    /// identity: it wins only when the client gives it more weight than every coding, and when
    /// nothing at all is acceptable (an answer that was made is better sent than refused).
    pub(crate) fn best(&self, order: &[Coding]) -> Option<Coding> {
        let mut best = None;
        let mut most = 0;
        for &coding in order {
            let weight = self.weight(coding);
            if weight > most {
                (best, most) = (Some(coding), weight);
            }
        }
        best.filter(|_| self.identity.is_none_or(|identity| identity <= most))
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn best(values: &[&[u8]]) -> Option<Coding> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(ACCEPT_ENCODING, HeaderValue::from_bytes(value).unwrap());
        }
        Accepted::of(&headers).best(&[Coding::Zstd, Coding::Brotli, Coding::Gzip])
    }

    /// One row per rule of RFC 9110 §12.5.3; the first five are its own examples.
    #[test]
    fn the_table_of_weights() {
        let (gzip, br, zstd) = (Coding::Gzip, Coding::Brotli, Coding::Zstd);
        for (value, wanted) in [
            ("compress, gzip", Some(gzip)),
            ("", None),
            ("*", Some(zstd)),
            ("compress;q=0.5, gzip;q=1.0", Some(gzip)),
            ("gzip;q=1.0, identity; q=0.5, *;q=0", Some(gzip)),
            // The server's order decides among equals.
            ("gzip, br", Some(br)),
            ("gzip, deflate, br, zstd", Some(zstd)),
            // The client's weights come first.
            ("gzip;q=0.9, br;q=0.8, zstd;q=0.1", Some(gzip)),
            ("gzip;q=0.001", Some(gzip)),
            // Zero is a refusal.
            ("gzip;q=0", None),
            ("gzip;q=0.000", None),
            ("*;q=0", None),
            ("gzip;q=0, *", Some(zstd)),
            ("zstd;q=0, br;q=0, *", Some(gzip)),
            ("identity;q=0", None),
            ("identity;q=0, *", Some(zstd)),
            // Identity loses ties and wins with more weight.
            ("identity, gzip", Some(gzip)),
            ("identity;q=0.5, gzip;q=0.2", None),
            ("identity;q=0.2, gzip;q=0.5", Some(gzip)),
            // Names in any case, the old alias, empty members.
            ("GZip", Some(gzip)),
            ("x-gzip", Some(gzip)),
            (", ,gzip,", Some(gzip)),
            // Parameters do not hide a name or its weight.
            ("gzip;foo=bar;q=0", None),
            ("gzip ;foo=bar", Some(gzip)),
            // A member out of the grammar is ignored alone.
            ("br;q=7, gzip", Some(gzip)),
            ("\u{00fc}, gzip", Some(gzip)),
            // Only what the server offers.
            ("deflate", None),
            ("dcb, dcz", None),
        ] {
            assert_eq!(best(&[value.as_bytes()]), wanted, "{value}");
        }
    }

    #[test]
    fn several_lines_are_one_list() {
        assert_eq!(best(&[b"gzip;q=0.5", b"br;q=0.7"]), Some(Coding::Brotli));
    }

    #[test]
    fn bytes_outside_of_text_void_their_member_only() {
        assert_eq!(best(&[b"br\xff, gzip"]), Some(Coding::Gzip));
    }

    #[test]
    fn no_field_means_no_coding() {
        assert_eq!(best(&[]), None);
    }

    #[test]
    fn an_endless_list_is_read_to_its_bound() {
        let list = "x,".repeat(10_000) + "gzip";
        assert_eq!(best(&[list.as_bytes()]), None);
    }
}
