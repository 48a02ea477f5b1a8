//! The addresses in a sitemap (sitemaps.org, protocol 0.9).

/// What a sitemap names.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Sitemap {
    /// Whether it names other sitemaps, and not pages.
    pub(super) is_index: bool,
    /// The addresses, in its order.
    pub(super) addresses: Vec<String>,
}

/// Reads the `loc` elements of a sitemap or of an index of sitemaps.
///
/// # Errors
///
/// Fails with a sentence for people when it is neither.
pub(super) fn read(text: &str) -> Result<Sitemap, String> {
    let is_index = opens(text, "sitemapindex").is_some();
    if !is_index && opens(text, "urlset").is_none() {
        return Err("it is no sitemap: neither `urlset` nor `sitemapindex` is in it".to_owned());
    }
    let (mut addresses, mut rest) = (Vec::new(), text);
    while let Some(inside) = opens(rest, "loc") {
        let (content, after) = inside.split_once("</").unwrap_or((inside, ""));
        addresses.push(plain(content.trim()));
        rest = after;
    }
    Ok(Sitemap { is_index, addresses })
}

/// What follows the next `<name …>`; of elements with a prefix, of images say, there are others.
fn opens<'t>(text: &'t str, name: &str) -> Option<&'t str> {
    let mut rest = text;
    while let Some((_, after)) = rest.split_once('<') {
        let found = after
            .strip_prefix(name)
            .filter(|tail| tail.starts_with(|c: char| c == '>' || c.is_ascii_whitespace()));
        if let Some((_, inside)) = found.and_then(|tail| tail.split_once('>')) {
            return Some(inside);
        }
        rest = after;
    }
    None
}

/// The text of an element: a CDATA section, or text with the entities of XML.
fn plain(content: &str) -> String {
    if let Some(data) = content.strip_prefix("<![CDATA[") {
        return data.strip_suffix("]]>").unwrap_or(data).trim().to_owned();
    }
    let (mut out, mut rest) = (String::with_capacity(content.len()), content);
    while let Some((before, after)) = rest.split_once('&') {
        out.push_str(before);
        let entity = after.split_once(';').and_then(|(name, tail)| Some((entity(name)?, tail)));
        match entity {
            Some((character, tail)) => {
                out.push(character);
                rest = tail;
            }
            // Not allowed in XML, and plain in too many sitemaps.
            None => {
                out.push('&');
                rest = after;
            }
        }
    }
    out.push_str(rest);
    out
}

fn entity(name: &str) -> Option<char> {
    match name {
        "amp" => Some('&'),
        "lt" => Some('<'),
        "gt" => Some('>'),
        "quot" => Some('"'),
        "apos" => Some('\''),
        _ => {
            let number = name.strip_prefix('#')?;
            let code = match number.strip_prefix('x') {
                Some(hex) => u32::from_str_radix(hex, 16).ok()?,
                None => number.parse().ok()?,
            };
            char::from_u32(code)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_are_read_in_their_order() {
        let text = r#"<?xml version="1.0" encoding="UTF-8"?>
            <urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">
              <url><loc>https://a.test/x?a=1&amp;b=2</loc><lastmod>2026-01-01</lastmod></url>
              <url><image:image><image:loc>https://a.test/i.png</image:loc></image:image>
                <loc
                >  https://a.test/&#233;&#x20;y </loc></url>
              <url><loc><![CDATA[https://a.test/<z>]]></loc></url>
              <location>no</location>
            </urlset>"#;
        let addresses = ["https://a.test/x?a=1&b=2", "https://a.test/é y", "https://a.test/<z>"];
        let addresses = addresses.map(str::to_owned).to_vec();
        assert_eq!(read(text), Ok(Sitemap { is_index: false, addresses }));
    }

    #[test]
    fn an_index_says_so() {
        let text = "<sitemapindex><sitemap><loc>https://a/1.xml</loc></sitemap></sitemapindex>";
        let addresses = vec!["https://a/1.xml".to_owned()];
        assert_eq!(read(text), Ok(Sitemap { is_index: true, addresses }));
    }

    #[test]
    fn what_is_cut_off_or_something_else_is_survived() {
        assert!(read("<html><loc>x</loc></html>").is_err());
        assert!(read("").is_err());
        assert_eq!(read("<urlset><loc>http://a/&;").unwrap().addresses, ["http://a/&;"]);
        assert_eq!(read("<urlset><loc").unwrap().addresses, Vec::<String>::new());
    }
}
