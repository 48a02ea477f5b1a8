//! What a file takes from other files of its crate: every path, made absolute.

use proc_macro2::{TokenStream, TokenTree};
use syn::visit::{self, Visit};
use syn::{UseTree, Visibility};

/// A module's path from the root of its crate; the root is empty.
pub(crate) type ModulePath = Vec<String>;

/// One path that names something in the crate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reference {
    /// From the root of the crate.
    pub(crate) path: ModulePath,
    pub(crate) line: usize,
    /// Whether only tests need it.
    pub(crate) is_test: bool,
    /// Whether it is a re-export: a door, through which others go.
    pub(crate) is_door: bool,
}

/// Finds the references of a file that is the module `module`; `is_module` knows all of them.
pub(crate) fn references(
    syntax: &syn::File,
    module: &[String],
    is_module: &dyn Fn(&[String]) -> bool,
) -> Vec<Reference> {
    let mut finder = Finder {
        module: module.to_vec(),
        is_module,
        is_test: module.last().is_some_and(|name| name == "tests"),
        found: Vec::new(),
    };
    finder.visit_file(syntax);
    finder.found
}

/// Whether something is compiled for tests only.
pub(crate) fn is_test_only(attributes: &[syn::Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        let path = attribute.path();
        let last = path.segments.last().map(|segment| segment.ident.to_string());
        match last.as_deref() {
            Some("test") => true,
            Some("cfg") => attribute.meta.require_list().is_ok_and(|list| {
                let mut tokens = list.tokens.clone().into_iter();
                matches!(tokens.next(), Some(TokenTree::Ident(name)) if name == "test")
            }),
            _ => false,
        }
    })
}

struct Finder<'a> {
    /// Where we are, inline modules too.
    module: ModulePath,
    is_module: &'a dyn Fn(&[String]) -> bool,
    is_test: bool,
    found: Vec<Reference>,
}

impl Finder<'_> {
    fn add(&mut self, segments: &[String], line: usize, is_door: bool) {
        if let Some(path) = self.absolute(segments) {
            self.found.push(Reference { path, line, is_test: self.is_test, is_door });
        }
    }

    /// The path from the root; `None` when it leads to another crate or into the same scope.
    fn absolute(&self, segments: &[String]) -> Option<ModulePath> {
        let (first, rest) = segments.split_first()?;
        match first.as_str() {
            "crate" => Some(rest.to_vec()),
            "self" => Some([&*self.module, rest].concat()),
            "super" => {
                let ups = segments.iter().take_while(|name| *name == "super").count();
                let above = self.module.get(..self.module.len().checked_sub(ups)?)?;
                Some([above, segments.get(ups..)?].concat())
            }
            _ => {
                let child = [&*self.module, std::slice::from_ref(first)].concat();
                let path = || [&*self.module, segments].concat();
                (self.is_module)(&child).then(path)
            }
        }
    }

    fn add_tree(&mut self, tree: &UseTree, before: &mut ModulePath, is_door: bool) {
        match tree {
            UseTree::Path(path) => {
                before.push(path.ident.to_string());
                self.add_tree(&path.tree, before, is_door);
                before.pop();
            }
            UseTree::Group(group) => {
                for tree in &group.items {
                    self.add_tree(tree, before, is_door);
                }
            }
            UseTree::Name(name) => self.add_leaf(&name.ident, before, is_door),
            UseTree::Rename(rename) => self.add_leaf(&rename.ident, before, is_door),
            UseTree::Glob(glob) => {
                let line = glob.star_token.spans.first().map_or(1, |span| span.start().line);
                self.add(before, line, false);
            }
        }
    }

    fn add_leaf(&mut self, name: &syn::Ident, before: &[String], is_door: bool) {
        let line = name.span().start().line;
        if name == "self" {
            return self.add(before, line, is_door);
        }
        self.add(&[before, &[name.to_string()]].concat(), line, is_door);
    }

    /// Looks inside an item that may be for tests only.
    fn inside(&mut self, attributes: &[syn::Attribute], visit: impl FnOnce(&mut Self)) {
        let before = self.is_test;
        self.is_test = before || is_test_only(attributes);
        visit(self);
        self.is_test = before;
    }

    /// Finds `crate::…` among the tokens of a macro, but not a macro's own `$crate`.
    fn scan(&mut self, tokens: TokenStream) {
        let tokens: Vec<_> = tokens.into_iter().collect();
        for (index, token) in tokens.iter().enumerate() {
            match token {
                TokenTree::Group(group) => self.scan(group.stream()),
                TokenTree::Ident(name) if name == "crate" => {
                    let before = index.checked_sub(1).and_then(|before| tokens.get(before));
                    let path = path_in(tokens.get(index..).unwrap_or_default());
                    // Not a macro's own `$crate`, and not the one in `pub(crate)`.
                    if !is_punct(before, '$') && path.len() > 1 {
                        self.add(&path, name.span().start().line, false);
                    }
                }
                _ => {}
            }
        }
    }
}

/// The names of a path at the start of the tokens: `a::b::c`.
fn path_in(tokens: &[TokenTree]) -> ModulePath {
    let mut path = Vec::new();
    for part in tokens.chunks(3) {
        let Some(TokenTree::Ident(name)) = part.first() else {
            break;
        };
        path.push(name.to_string());
        if !is_punct(part.get(1), ':') || !is_punct(part.get(2), ':') {
            break;
        }
    }
    path
}

fn is_punct(token: Option<&TokenTree>, wanted: char) -> bool {
    matches!(token, Some(TokenTree::Punct(punct)) if punct.as_char() == wanted)
}

impl<'ast> Visit<'ast> for Finder<'_> {
    fn visit_item_mod(&mut self, item: &'ast syn::ItemMod) {
        if item.content.is_none() {
            return;
        }
        self.module.push(item.ident.to_string());
        self.inside(&item.attrs, |this| visit::visit_item_mod(this, item));
        self.module.pop();
    }

    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        let is_door = !matches!(item.vis, Visibility::Inherited);
        self.inside(&item.attrs, |this| {
            this.add_tree(&item.tree, &mut Vec::new(), is_door);
        });
    }

    fn visit_item_fn(&mut self, item: &'ast syn::ItemFn) {
        self.inside(&item.attrs, |this| visit::visit_item_fn(this, item));
    }

    fn visit_item_impl(&mut self, item: &'ast syn::ItemImpl) {
        self.inside(&item.attrs, |this| visit::visit_item_impl(this, item));
    }

    fn visit_impl_item_fn(&mut self, item: &'ast syn::ImplItemFn) {
        self.inside(&item.attrs, |this| visit::visit_impl_item_fn(this, item));
    }

    fn visit_visibility(&mut self, _: &'ast Visibility) {
        // `pub(crate)` takes nothing from anywhere.
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let segments: Vec<_> = path.segments.iter().map(|s| s.ident.to_string()).collect();
        // A single name is in scope already; what brought it there is counted.
        if let Some(first) = path.segments.first().filter(|_| segments.len() > 1) {
            self.add(&segments, first.ident.span().start().line, false);
        }
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, item: &'ast syn::Macro) {
        self.visit_path(&item.path);
        self.scan(item.tokens.clone());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths(text: &str) -> Vec<(String, bool, bool)> {
        let syntax = syn::parse_file(text).unwrap();
        let module = ["a".to_owned()];
        let found = references(&syntax, &module, &|path| path == ["a", "child"]);
        let found = found.into_iter();
        found.map(|r| (r.path.join("::"), r.is_test, r.is_door)).collect()
    }

    fn path(path: &str) -> (String, bool, bool) {
        (path.to_owned(), false, false)
    }

    #[test]
    fn every_form_of_a_path_becomes_absolute() {
        for (text, expected) in [
            ("use crate::b::C;", vec![path("b::C")]),
            ("use crate::b::{C, d::{self, E}};", vec![path("b::C"), path("b::d"), path("b::d::E")]),
            ("use super::b::C as D;", vec![path("b::C")]),
            ("use self::child::C;", vec![path("a::child::C")]),
            ("use child::C;", vec![path("a::child::C")]),
            ("use crate::b::*;", vec![path("b")]),
            ("use std::fmt;", vec![]),
            ("fn f() { crate::b::g(local, other::x()) }", vec![path("b::g")]),
            ("fn f() -> crate::b::C { todo() }", vec![path("b::C")]),
            ("fn f() { assert!(crate::b::g()); }", vec![path("b::g")]),
            ("macro_rules! m { () => { $crate::b::g() } }", vec![]),
            ("pub(crate) fn f() {}", vec![]),
            ("pin! { pub(crate) struct S; }", vec![]),
        ] {
            assert_eq!(paths(text), expected, "{text}");
        }
    }

    #[test]
    fn tests_and_doors_are_told_apart() {
        let door = ("a::child::C".to_owned(), false, true);
        assert_eq!(paths("pub use child::C;"), [door]);
        let test = ("b::C".to_owned(), true, false);
        assert_eq!(paths("#[cfg(test)] mod tests { use crate::b::C; }")[0], test);
        assert_eq!(paths("#[tokio::test] async fn t() { crate::b::C }")[0], test);
        assert_eq!(paths("#[cfg(feature = \"test\")] use crate::b::C;"), [path("b::C")]);
    }
}
