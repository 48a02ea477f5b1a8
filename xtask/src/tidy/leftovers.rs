//! Rule: nothing is left to do, ignored or allowed without a reason.

use proc_macro2::{Delimiter, TokenStream, TokenTree};

use crate::tidy::finding::Finding;
use crate::tidy::source::Source;

const RULE: &str = "left-overs";

pub(crate) fn check(source: &Source, findings: &mut Vec<Finding>) {
    let Ok(tokens) = source.text.parse() else {
        return;
    };
    let mut found = Vec::new();
    scan(tokens, &mut found);
    for (line, what) in found {
        let (message, fix) = match what {
            Leftover::Undone(name) => (format!("`{name}!` is left"), "write it, or leave it out"),
            Leftover::Ignored => (
                "a test is ignored without a reason".to_owned(),
                "write `#[ignore = \"…\"]`; better, assert what is so today",
            ),
            Leftover::Allowed(name) => {
                (format!("`{name}` without a reason"), "write `#[expect(lint, reason = \"…\")]`")
            }
        };
        findings.push(Finding::new(&source.path, line, RULE, message).fix(fix));
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Leftover {
    Undone(String),
    Ignored,
    Allowed(String),
}

/// Walks all tokens, those of macros too, which a parser would not see.
fn scan(tokens: TokenStream, found: &mut Vec<(usize, Leftover)>) {
    let tokens: Vec<_> = tokens.into_iter().collect();
    for (index, token) in tokens.iter().enumerate() {
        let next = tokens.get(index + 1);
        match token {
            TokenTree::Ident(name) if is(next, '!') && is_undone(&name.to_string()) => {
                let what = Leftover::Undone(name.to_string());
                found.push((name.span().start().line, what));
            }
            TokenTree::Punct(hash) if hash.as_char() == '#' => {
                let inner = usize::from(is(next, '!'));
                if let Some(TokenTree::Group(group)) = tokens.get(index + 1 + inner)
                    && group.delimiter() == Delimiter::Bracket
                {
                    attribute(group.stream(), found);
                }
            }
            TokenTree::Group(group) => scan(group.stream(), found),
            _ => {}
        }
    }
}

/// Looks into `#[…]`, also behind `cfg_attr`.
fn attribute(tokens: TokenStream, found: &mut Vec<(usize, Leftover)>) {
    let tokens: Vec<_> = tokens.into_iter().collect();
    if let [TokenTree::Ident(only)] = &*tokens
        && only == "ignore"
    {
        found.push((only.span().start().line, Leftover::Ignored));
    }
    for pair in tokens.windows(2) {
        let [TokenTree::Ident(name), TokenTree::Group(group)] = pair else {
            continue;
        };
        if (name == "allow" || name == "expect") && !names_reason(group.stream()) {
            let what = Leftover::Allowed(name.to_string());
            found.push((name.span().start().line, what));
        } else if name == "cfg_attr" {
            attribute(group.stream(), found);
        }
    }
}

fn names_reason(tokens: TokenStream) -> bool {
    let mut tokens = tokens.into_iter();
    tokens.any(|token| matches!(token, TokenTree::Ident(name) if name == "reason"))
}

fn is(token: Option<&TokenTree>, wanted: char) -> bool {
    matches!(token, Some(TokenTree::Punct(punct)) if punct.as_char() == wanted)
}

fn is_undone(name: &str) -> bool {
    matches!(name, "todo" | "unimplemented")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Vec<(usize, Leftover)> {
        let mut found = Vec::new();
        scan(text.parse().unwrap(), &mut found);
        found
    }

    #[test]
    fn left_overs_are_found_also_in_macros() {
        let text = "fn a() { todo!() }\n\
                    macro_rules! m { () => { unimplemented!() } }\n\
                    #[ignore]\n\
                    #![allow(dead_code)]\n\
                    #[cfg_attr(unix, expect(dead_code))]\n";
        let undone = |name: &str| Leftover::Undone(name.to_owned());
        let allowed = |name: &str| Leftover::Allowed(name.to_owned());
        let expected = [
            (1, undone("todo")),
            (2, undone("unimplemented")),
            (3, Leftover::Ignored),
            (4, allowed("allow")),
            (5, allowed("expect")),
        ];
        assert_eq!(found(text), expected);
    }

    #[test]
    fn what_has_a_reason_may_stay() {
        let text = "#[ignore = \"needs a disk\"]\n#[allow(dead_code, reason = \"later\")]\n\
                    fn todo() { result.expect(\"todo!()\"); }";
        assert_eq!(found(text), []);
    }
}
