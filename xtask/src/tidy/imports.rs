//! Rule: inside a crate, imports name the defining module, never the root.

use crate::tidy::finding::Finding;
use crate::tidy::modules::{Modules, is_root};
use crate::tidy::source::Source;

const RULE: &str = "imports";

pub(crate) fn check(sources: &[Source], modules: &Modules, findings: &mut Vec<Finding>) {
    for (file, source) in sources.iter().enumerate() {
        if is_root(source) {
            continue;
        }
        for reference in modules.references(file) {
            let message = match reference.path.first() {
                Some(name) if modules.is_root_module(name) => continue,
                Some(name) => format!("`{name}` is taken from the crate's root"),
                None => "everything is taken from the crate's root".to_owned(),
            };
            let fix = "name the file that defines it: `use crate::file::Name`";
            findings.push(Finding::new(&source.path, reference.line, RULE, message).fix(fix));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::source::source;

    #[test]
    fn re_exports_of_the_root_are_found() {
        let sources = [
            source("src/lib.rs", "mod a; mod b; pub use b::Thing;"),
            source("src/a.rs", "use crate::b::Thing;\nuse crate::Thing as T;\nuse super::Thing;"),
            source("src/b.rs", "pub struct Thing;\nuse super::*;"),
        ];
        let mut findings = Vec::new();
        check(&sources, &Modules::of(&sources), &mut findings);
        let found = findings.iter().map(|f| (f.path.to_str().unwrap(), f.line));
        let expected = [("src/a.rs", 2), ("src/a.rs", 3), ("src/b.rs", 2)];
        assert_eq!(found.collect::<Vec<_>>(), expected);
    }
}
