//! Rule: files and functions are small.

use syn::spanned::Spanned as _;
use syn::visit::{self, Visit};

use crate::tidy::finding::Finding;
use crate::tidy::references::is_test_only;
use crate::tidy::source::Source;
use crate::workspace::Package;

const RULE: &str = "sizes";

/// Lines of a file, at most.
const FILE: usize = 600;
/// Lines of half of the files of a crate, at most.
const MEDIAN_FILE: usize = 200;
/// Lines of a function, at most, from its name to its last brace.
const FUNCTION: usize = 60;
/// Nine in ten functions of a crate have fewer lines.
const MOST_FUNCTIONS: usize = 20;
/// With fewer functions nine in ten means nothing.
const FEW: usize = 10;

pub(crate) fn check(package: &Package, sources: &[Source], findings: &mut Vec<Finding>) {
    let mut functions = Vec::new();
    for source in sources {
        files(source, findings);
        for function in functions_of(source) {
            too_long(source, &function, findings);
            functions.push((source, function));
        }
    }
    half_of_the_files(package, sources, findings);
    functions.retain(|(_, function)| !function.is_test);
    nine_in_ten_functions(package, &functions, findings);
}

fn half_of_the_files(package: &Package, sources: &[Source], findings: &mut Vec<Finding>) {
    let in_src = sources.iter().filter(|source| source.is_in_src());
    let mut lines: Vec<_> = in_src.map(lines_of).collect();
    let median = at(&mut lines, 1, 2).filter(|median| *median > MEDIAN_FILE);
    if let (Some(median), Some(first)) = (median, sources.first()) {
        let message = format!("half of the files of {} have over {median} lines", package.name);
        let fix = "split files by idea; the median is at most 200";
        findings.push(Finding::new(&first.path, 1, RULE, message).fix(fix));
    }
}

fn nine_in_ten_functions(
    package: &Package,
    functions: &[(&Source, Function)],
    findings: &mut Vec<Finding>,
) {
    let mut lines: Vec<_> = functions.iter().map(|(_, function)| function.lines).collect();
    let most = at(&mut lines, 9, 10).filter(|most| *most >= MOST_FUNCTIONS);
    let longest = functions.iter().max_by_key(|(_, function)| function.lines);
    if let (Some(_), Some((source, longest))) = (most, longest)
        && functions.len() >= FEW
    {
        let long = functions.iter().filter(|(_, function)| function.lines >= MOST_FUNCTIONS);
        let (long, all) = (long.count(), functions.len());
        let message = format!(
            "{long} of {all} functions of {} have 20 lines or more; here is the longest, `{}`",
            package.name, longest.name
        );
        let fix = "split functions by step; at most one in ten may have 20 lines";
        findings.push(Finding::new(&source.path, longest.line, RULE, message).fix(fix));
    }
}

fn functions_of(source: &Source) -> Vec<Function> {
    let mut visitor = Functions::new(source);
    visitor.visit_file(&source.syntax);
    visitor.found
}

fn files(source: &Source, findings: &mut Vec<Finding>) {
    let lines = lines_of(source);
    if lines > FILE {
        let message = format!("the file has {lines} lines");
        let fix = "split it by idea, or move its tests to a file of their own; 600 is the most";
        findings.push(Finding::new(&source.path, lines, RULE, message).fix(fix));
    }
}

fn too_long(source: &Source, function: &Function, findings: &mut Vec<Finding>) {
    if function.lines > FUNCTION {
        let message = format!("`{}` has {} lines", function.name, function.lines);
        let fix = "split it by step; 60 is the most";
        findings.push(Finding::new(&source.path, function.line, RULE, message).fix(fix));
    }
}

fn lines_of(source: &Source) -> usize {
    source.text.lines().count()
}

/// The value that `part` in `whole` of the values do not exceed; `None` when there are no values.
fn at(values: &mut [usize], part: usize, whole: usize) -> Option<usize> {
    values.sort_unstable();
    let index = (values.len() * part).div_ceil(whole).checked_sub(1)?;
    values.get(index).copied()
}

/// One function with a body.
#[derive(Debug, PartialEq, Eq)]
struct Function {
    name: String,
    line: usize,
    lines: usize,
    is_test: bool,
}

/// Finds the functions of a file.
struct Functions {
    found: Vec<Function>,
    is_test: bool,
}

impl Functions {
    fn new(source: &Source) -> Self {
        Self { found: Vec::new(), is_test: source.is_test() || !source.is_in_src() }
    }

    fn add(&mut self, signature: &syn::Signature, body: &syn::Block) {
        let line = signature.fn_token.span().start().line;
        let end = body.brace_token.span.close().end().line;
        self.found.push(Function {
            name: signature.ident.to_string(),
            line,
            lines: end + 1 - line.min(end),
            is_test: self.is_test,
        });
    }

    /// Looks inside an item that may be for tests only.
    fn inside(&mut self, attributes: &[syn::Attribute], visit: impl FnOnce(&mut Self)) {
        let before = self.is_test;
        self.is_test = before || is_test_only(attributes);
        visit(self);
        self.is_test = before;
    }
}

impl<'ast> Visit<'ast> for Functions {
    fn visit_item_mod(&mut self, item: &'ast syn::ItemMod) {
        self.inside(&item.attrs, |this| visit::visit_item_mod(this, item));
    }

    fn visit_item_fn(&mut self, item: &'ast syn::ItemFn) {
        self.inside(&item.attrs, |this| {
            this.add(&item.sig, &item.block);
            visit::visit_item_fn(this, item);
        });
    }

    fn visit_impl_item_fn(&mut self, item: &'ast syn::ImplItemFn) {
        self.inside(&item.attrs, |this| {
            this.add(&item.sig, &item.block);
            visit::visit_impl_item_fn(this, item);
        });
    }

    fn visit_trait_item_fn(&mut self, item: &'ast syn::TraitItemFn) {
        if let Some(body) = &item.default {
            self.add(&item.sig, body);
        }
        visit::visit_trait_item_fn(self, item);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::source::source;

    fn functions(text: &str) -> Vec<(String, usize, usize, bool)> {
        let found = functions_of(&source("src/a.rs", text)).into_iter();
        found.map(|f| (f.name, f.line, f.lines, f.is_test)).collect()
    }

    #[test]
    fn functions_are_measured_from_name_to_brace() {
        let text = "/// Docs.\n#[inline]\npub(crate) const fn one(\n    a: u8,\n) -> u8 {\n    a\n}\n\
                    trait T { fn two(); fn three() {} }\n\
                    #[cfg(test)]\nmod tests {\n    #[test]\n    fn four() {\n    }\n}\n";
        let expected = [
            ("one".to_owned(), 3, 5, false),
            ("three".to_owned(), 8, 1, false),
            ("four".to_owned(), 12, 2, true),
        ];
        assert_eq!(functions(text), expected);
    }

    #[test]
    fn a_long_function_is_found() {
        let text = format!("//! A.\nfn long() {{\n{}}}\n", "    ();\n".repeat(59));
        let mut findings = Vec::new();
        check(&Package::default(), &[source("src/a.rs", &text)], &mut findings);
        assert_eq!(findings.len(), 1);
        assert_eq!((findings[0].line, &*findings[0].message), (2, "`long` has 61 lines"));
    }

    #[test]
    fn quantiles() {
        assert_eq!(at(&mut [], 1, 2), None);
        assert_eq!(at(&mut [3, 1, 2], 1, 2), Some(2));
        assert_eq!(at(&mut [1, 2, 3, 4, 5, 6, 7, 8, 9, 99], 9, 10), Some(9));
    }
}
