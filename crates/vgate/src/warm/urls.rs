//! From what the file says to whole URLs: ranges, words, the base.

/// Requests of one pattern and round; more are refused, because somebody slipped.
pub(crate) const MOST: usize = 1_000_000;

/// The URLs that `text` stands for, each a whole one.
///
/// # Errors
///
/// Fails with a sentence for people when a brace is not closed, a range is none, a URL is only a
/// path and there is no `base`, or there are too many.
pub(crate) fn urls(text: &str, base: Option<&str>) -> Result<Vec<String>, String> {
    let mut done = vec![String::new()];
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('{') {
        let (inside, tail) =
            after.split_once('}').ok_or_else(|| format!("`{text}` has no closing brace"))?;
        let choices = choices(inside)?;
        if choices.len().saturating_mul(done.len()) > MOST {
            return Err(format!("`{text}` stands for more than {MOST} URLs"));
        }
        let longer =
            done.iter().flat_map(|url| choices.iter().map(move |c| [url, before, c].concat()));
        done = longer.collect();
        rest = tail;
    }
    done.into_iter().map(|url| whole(&format!("{url}{rest}"), base)).collect()
}

/// `1..20` or `a,b`. Zeros in front keep the width: `01..20`.
fn choices(inside: &str) -> Result<Vec<String>, String> {
    let Some((first, last)) = inside.split_once("..") else {
        return match inside.contains(',') {
            true => Ok(inside.split(',').map(|word| word.trim().to_owned()).collect()),
            false => {
                Err(format!("`{{{inside}}}` is neither a range nor a list; `{{1..9}}`, `{{a,b}}`"))
            }
        };
    };
    let wrong = || format!("`{{{inside}}}` is no range; write it like `{{1..200}}`");
    let number = |text: &str| text.parse::<u64>().map_err(|_| wrong());
    let (from, to) = (number(first)?, number(last)?);
    if from > to {
        return Err(wrong());
    }
    if to - from >= u64::try_from(MOST).unwrap_or(u64::MAX) {
        return Err(format!("`{{{inside}}}` stands for more than {MOST} URLs"));
    }
    let width = if first.starts_with('0') { first.len() } else { 0 };
    Ok((from..=to).map(|number| format!("{number:0width$}")).collect())
}

/// The URL itself, or the path below the base.
///
/// # Errors
///
/// Fails with a sentence for people when it is neither.
pub(crate) fn whole(url: &str, base: Option<&str>) -> Result<String, String> {
    if url.starts_with("http://") || url.starts_with("https://") {
        return Ok(url.to_owned());
    }
    match base {
        Some(base) if url.starts_with('/') => Ok(format!("{}{url}", base.trim_end_matches('/'))),
        Some(_) => Err(format!("`{url}` begins neither with `/` nor with http:// or https://")),
        None => Err(format!("`{url}` is no whole URL, and there is no `base`")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_and_words_multiply() {
        let all = urls("/{de,en}/{08..10}?x", Some("https://a.test/")).unwrap();
        assert_eq!(all.len(), 6);
        assert_eq!(all[0], "https://a.test/de/08?x");
        assert_eq!(all[5], "https://a.test/en/10?x");
        assert_eq!(urls("http://a/", None).unwrap(), ["http://a/"]);
    }

    #[test]
    fn what_stands_for_no_url_is_refused() {
        for text in [
            "/a/{1..2",
            "/a/{}",
            "/a/{b}",
            "/a/{2..1}",
            "/a/{a..b}",
            "/{1..1000001}",
            "/{1..2000}/{1..2000}",
            "/{0..18446744073709551615}",
            "a",
        ] {
            assert!(urls(text, Some("http://a")).is_err(), "{text}");
        }
        assert!(urls("/a", None).is_err());
    }
}
