//! Rule: inside a crate, the imports of files form no circles.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::tidy::finding::Finding;
use crate::tidy::modules::{Modules, is_root, module_path};
use crate::tidy::source::Source;

const RULE: &str = "circles";

/// For each file, the files that it imports, and in which line first.
type Graph = BTreeMap<usize, BTreeMap<usize, usize>>;

pub(crate) fn check(sources: &[Source], modules: &Modules, findings: &mut Vec<Finding>) {
    let graph = graph(sources, modules);
    let mut reported: BTreeSet<usize> = BTreeSet::new();
    for &start in graph.keys() {
        let Some(circle) = shortest_circle(&graph, start) else {
            continue;
        };
        // A circle is reported once, and files of it are not reported with longer ones.
        if circle.iter().any(|file| reported.contains(file)) {
            continue;
        }
        reported.extend(&circle);
        if let Some(source) = sources.get(start) {
            let line = first_line(&graph, &circle);
            let message = format!("imports form a circle: {}", route(sources, &circle));
            let fix = "move what both need into a file below them, or the function that needs both \
                       (such as `Pool::builder`) into the upper one";
            findings.push(Finding::new(&source.path, line, RULE, message).fix(fix));
        }
    }
}

fn graph(sources: &[Source], modules: &Modules) -> Graph {
    let mut graph = Graph::new();
    for (file, source) in sources.iter().enumerate().filter(|(_, source)| !is_root(source)) {
        for reference in modules.references(file) {
            if reference.is_test || is_own_door(source, reference.is_door, &reference.path) {
                continue;
            }
            let target = modules.defining_file(&reference.path);
            let is_other = |target: &usize| *target != file && !is_root_at(sources, *target);
            if let Some(target) = target.filter(is_other) {
                let lines = graph.entry(file).or_default();
                lines.entry(target).or_insert(reference.line);
            }
        }
    }
    graph
}

fn is_root_at(sources: &[Source], file: usize) -> bool {
    sources.get(file).is_some_and(is_root)
}

/// A folder's `mod.rs` that re-exports what is in the folder is its door, not its user.
fn is_own_door(source: &Source, is_door: bool, path: &[String]) -> bool {
    is_door && module_path(&source.inside).is_some_and(|module| path.starts_with(&module))
}

/// The files of the shortest circle through `start`, in order.
fn shortest_circle(graph: &Graph, start: usize) -> Option<Vec<usize>> {
    let mut came_from = BTreeMap::new();
    let mut queue = VecDeque::from([start]);
    while let Some(file) = queue.pop_front() {
        for &next in graph.get(&file).into_iter().flat_map(BTreeMap::keys) {
            if next == start {
                return Some(way(&came_from, start, file));
            }
            came_from.entry(next).or_insert_with(|| {
                queue.push_back(next);
                file
            });
        }
    }
    None
}

/// The files from `start` to `end`.
fn way(came_from: &BTreeMap<usize, usize>, start: usize, end: usize) -> Vec<usize> {
    let mut way = vec![end];
    let mut file = end;
    while let Some(&before) = came_from.get(&file).filter(|_| file != start) {
        way.push(before);
        file = before;
    }
    way.reverse();
    way
}

fn first_line(graph: &Graph, circle: &[usize]) -> usize {
    let [first, second, ..] = circle else {
        return 1;
    };
    let line = graph.get(first).and_then(|targets| targets.get(second));
    line.copied().unwrap_or(1)
}

fn route(sources: &[Source], circle: &[usize]) -> String {
    let files = circle.iter().chain(circle.first());
    let names = files.filter_map(|file| sources.get(*file));
    let names: Vec<_> = names.map(|source| source.inside.display().to_string()).collect();
    names.join(" -> ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::source::source;

    fn circles(files: &[(&str, &str)]) -> Vec<String> {
        let sources: Vec<_> = files.iter().map(|(path, text)| source(path, text)).collect();
        let mut findings = Vec::new();
        check(&sources, &Modules::of(&sources), &mut findings);
        findings.into_iter().map(|finding| finding.message).collect()
    }

    #[test]
    fn a_circle_is_reported_once() {
        let found = circles(&[
            ("src/lib.rs", "mod a; mod b; mod c;"),
            ("src/a.rs", "use crate::b::B; pub struct A;"),
            ("src/b.rs", "use crate::c::C; pub struct B;"),
            ("src/c.rs", "pub struct C; fn f() { crate::a::A; }"),
        ]);
        let expected = "imports form a circle: src/a.rs -> src/b.rs -> src/c.rs -> src/a.rs";
        assert_eq!(found, [expected]);
    }

    #[test]
    fn tests_and_doors_make_no_circle() {
        let found = circles(&[
            ("src/lib.rs", "mod a; mod b; pub use a::A;"),
            ("src/a.rs", "use crate::b::B; pub struct A;"),
            ("src/b.rs", "pub struct B; #[cfg(test)] mod tests { use crate::a::A; use super::*; }"),
            ("src/d/mod.rs", "mod e; pub use e::E; pub trait D {}"),
            ("src/d/e.rs", "use crate::d::D; pub struct E;"),
        ]);
        assert_eq!(found, [""; 0]);
    }

    #[test]
    fn a_file_that_uses_its_folder_and_is_used_by_it_is_in_a_circle() {
        let found = circles(&[
            ("src/lib.rs", "mod d;"),
            ("src/d/mod.rs", "mod e; pub struct D(e::E);"),
            ("src/d/e.rs", "use super::D; pub struct E;"),
        ]);
        assert_eq!(found.len(), 1);
    }
}
