//! `${NAME}` and `${NAME:-default}` in text values, from the environment.

/// Puts the environment's values in; `None` when there is nothing to put in.
///
/// It runs on values after the file was parsed, so that a value cannot inject syntax.
///
/// # Errors
///
/// Fails with a sentence when a name is not set and has no default, or a brace is missing.
pub(crate) fn expand(
    text: &str,
    lookup: &dyn Fn(&str) -> Option<String>,
) -> Result<Option<String>, String> {
    if !text.contains("${") {
        return Ok(None);
    }
    let (mut out, mut rest) = (String::with_capacity(text.len()), text);
    while let Some((before, after)) = rest.split_once("${") {
        let Some((inside, tail)) = after.split_once('}') else {
            return Err("`${` has no closing `}`".to_owned());
        };
        out.push_str(before);
        out.push_str(&value(inside, lookup)?);
        rest = tail;
    }
    out.push_str(rest);
    Ok(Some(out))
}

fn value(inside: &str, lookup: &dyn Fn(&str) -> Option<String>) -> Result<String, String> {
    let (name, default) = match inside.split_once(":-") {
        Some((name, default)) => (name, Some(default)),
        None => (inside, None),
    };
    lookup(name).or_else(|| default.map(str::to_owned)).ok_or_else(|| {
        format!(
            "the environment variable `{name}` is not set; `${{{name}:-value}}` gives a default"
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lookup(name: &str) -> Option<String> {
        (name == "HOST").then(|| "db".to_owned())
    }

    #[test]
    fn names_and_defaults() {
        for (text, expected) in [
            ("plain", None),
            ("${HOST}:1", Some("db:1")),
            ("${PORT:-80}", Some("80")),
            ("${HOST:-x}/${PORT:-}", Some("db/")),
        ] {
            assert_eq!(expand(text, &lookup).unwrap().as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn what_is_not_set_is_an_error() {
        assert!(expand("${PORT}", &lookup).unwrap_err().contains("`PORT` is not set"));
        assert!(expand("${HOST", &lookup).unwrap_err().contains("closing"));
    }
}
