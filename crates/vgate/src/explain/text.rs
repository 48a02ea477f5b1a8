//! The answer as a text for people, in columns.

use serde_json::Value;

/// Writes an answer.
pub(crate) fn text(answer: &Value) -> String {
    let mut out = format!("{} {}\n", plain(&answer["method"]), plain(&answer["url"]));
    if answer["running"] == false {
        out.push_str("\nNo gateway answers: what it has stored is not known.\n");
    }
    match fate(answer) {
        Some(fate) => out.push_str(&fate),
        None => {
            out.push('\n');
            columns(&route_rows(&answer["route"]), "", &mut out);
        }
    }
    if !answer["cache"].is_null() {
        rules(&answer["cache"], &mut out);
    }
    out
}

/// Why no route takes the request, if none does.
fn fate(answer: &Value) -> Option<String> {
    let refused = &answer["refused"];
    if !refused.is_null() {
        let (status, reason) = (plain(&refused["status"]), plain(&refused["reason"]));
        return Some(format!("\nrefused with {status}: {reason}\n"));
    }
    let none = answer["route"].is_null();
    none.then(|| "\nno route takes this host and path: 404\n".to_owned())
}

fn route_rows(route: &Value) -> Rows {
    let hosts: Vec<String> = list(&route["hosts"]).iter().map(plain).collect();
    let hosts = if hosts.is_empty() { "any".to_owned() } else { hosts.join(", ") };
    let row = |key: &str, value: String| vec![key.to_owned(), value];
    let mut rows = vec![row("route", plain(&route["name"])), row("hosts", hosts)];
    for key in ["path", "upstream", "cache", "rate_limit", "in_flight"] {
        rows.extend(Some(&route[key]).filter(|v| !v.is_null()).map(|v| row(key, plain(v))));
    }
    let on = ["compress", "idempotency"].into_iter().filter(|key| route[*key] == true);
    rows.extend(on.map(|key| row(key, "on".to_owned())));
    rows
}

fn rules(cache: &Value, out: &mut String) {
    out.push('\n');
    columns(&steps(cache), "", out);
    out.push('\n');
    let fields = [("decision", "decision"), ("cache_status", "Cache-Status")];
    let there = fields.into_iter().filter(|(key, _)| !cache[*key].is_null());
    let rows: Rows = there.map(|(key, name)| vec![name.to_owned(), plain(&cache[key])]).collect();
    columns(&rows, "", out);
    let stored = list(&cache["stored"]);
    out.push_str(&format!("\nstored under this key: {}\n", stored.len()));
    stored.iter().for_each(|stored| variant(stored, out));
    if !cache["not_stored"].is_null() {
        not_stored(&cache["not_stored"], out);
    }
}

fn not_stored(refused: &Value, out: &mut String) {
    let (status, ago) = (plain(&refused["status"]), plain(&refused["ago"]));
    let reason = plain(&refused["reason"]);
    out.push_str(&format!("\nnot stored: a {status} {ago} s ago, because of {reason}\n"));
    columns(&steps(refused), "  ", out);
}

/// Rules and what they find.
fn steps(of: &Value) -> Rows {
    let cells = |step: &Value| ["section", "rule", "finding"].map(|key| plain(&step[key])).into();
    list(&of["steps"]).iter().map(cells).collect()
}

fn variant(stored: &Value, out: &mut String) {
    let mark = if stored["selected"] == true { "* " } else { "  " };
    let (status, bytes) = (plain(&stored["status"]), plain(&stored["bytes"]));
    let state = if stored["fresh"] == true { "fresh" } else { "stale" };
    let (age, lifetime) = (plain(&stored["age"]), plain(&stored["lifetime"]));
    let line = format!("{mark}{status}, {bytes} bytes, {state}: age {age} s of {lifetime} s\n");
    out.push_str(&line);
    let rows = [vary(stored), validators(stored), windows(stored), terms(stored)].concat();
    columns(&rows, "    ", out);
}

type Rows = Vec<Vec<String>>;

fn vary(stored: &Value) -> Rows {
    let fields = stored["vary"].as_object().into_iter().flatten();
    let value = |value: &Value| match value.is_null() {
        true => "(absent)".to_owned(),
        false => plain(value),
    };
    fields.map(|(name, asked)| vec![format!("vary {name}"), value(asked)]).collect()
}

fn validators(stored: &Value) -> Rows {
    let fields = [("etag", "etag"), ("last_modified", "last-modified")];
    let there = fields.into_iter().filter(|(key, _)| !stored[*key].is_null());
    there.map(|(key, name)| vec![name.to_owned(), plain(&stored[key])]).collect()
}

fn windows(stored: &Value) -> Rows {
    let windows = [
        ("stale_while_revalidate", "stale-while-revalidate"),
        ("stale_if_error", "stale-if-error"),
        ("kept_for", "of use for"),
    ];
    let open = |key: &str| stored[key].as_u64().is_some_and(|seconds| seconds > 0);
    let there = windows.into_iter().filter(|(key, _)| open(key));
    there.map(|(key, name)| vec![name.to_owned(), format!("{} s", plain(&stored[key]))]).collect()
}

fn terms(stored: &Value) -> Rows {
    let terms = [
        ("forbids_stale", "never used stale"),
        ("always_validate", "validated before every use"),
        ("assumed", "the lifetime is not the origin's"),
    ];
    let there = terms.into_iter().filter(|(key, _)| stored[*key] == true);
    let mut rows: Rows =
        there.map(|(_, words)| vec!["terms".to_owned(), words.to_owned()]).collect();
    let tags: Vec<String> = list(&stored["tags"]).iter().map(plain).collect();
    if !tags.is_empty() {
        rows.push(vec!["tags".to_owned(), tags.join(", ")]);
    }
    rows
}

/// Writes rows with every column but the last as wide as its widest cell.
fn columns(rows: &[Vec<String>], indent: &str, out: &mut String) {
    let most = rows.iter().map(Vec::len).max().unwrap_or(0);
    let widths: Vec<usize> = (0..most)
        .map(|at| rows.iter().filter_map(|row| Some(row.get(at)?.chars().count())).max())
        .map(Option::unwrap_or_default)
        .collect();
    for row in rows {
        let mut line = indent.to_owned();
        for (cell, width) in row.iter().zip(&widths) {
            line.push_str(&format!("{cell:width$}  "));
        }
        out.push_str(line.trim_end());
        out.push('\n');
    }
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

/// A value without quotes, and without what could make a terminal do something.
fn plain(value: &Value) -> String {
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn columns_stand_under_each_other() {
        let mut out = String::new();
        let row = |a: &str, b: &str| vec![a.to_owned(), b.to_owned()];
        columns(&[row("§", "one"), row("long", "two")], " ", &mut out);
        assert_eq!(out, " §     one\n long  two\n");
    }

    #[test]
    fn a_refusal_and_a_missing_route_are_said() {
        let refused = json!({ "status": 400, "reason": "host-invalid" });
        let answer = json!({ "method": "GET", "url": "http://a/", "refused": refused });
        assert_eq!(text(&answer), "GET http://a/\n\nrefused with 400: host-invalid\n");
        let answer = json!({ "method": "GET", "url": "http://a/\u{1b}[2J" });
        let expected = "GET http://a/\u{fffd}[2J\n\nno route takes this host and path: 404\n";
        assert_eq!(text(&answer), expected);
    }
}
