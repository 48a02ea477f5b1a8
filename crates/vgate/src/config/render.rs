//! Mistakes as a person wants to see them: the line, the place, the fix.

use annotate_snippets::renderer::DecorStyle;
use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};

use crate::config::problem::Problem;

/// Draws each problem with its line of the file; `styled` adds colour.
pub(crate) fn render(name: &str, text: &str, problems: &[Problem], styled: bool) -> String {
    let renderer = if styled { Renderer::styled() } else { Renderer::plain() };
    let renderer = renderer.decor_style(DecorStyle::Ascii);
    let mut drawn: Vec<&Problem> = problems.iter().collect();
    drawn.sort_by_key(|problem| problem.span.start);
    let reports: Vec<String> =
        drawn.into_iter().map(|problem| renderer.render(&[group(name, text, problem)])).collect();
    reports.join("\n\n")
}

fn group<'a>(name: &'a str, text: &'a str, problem: &'a Problem) -> annotate_snippets::Group<'a> {
    let end = problem.span.end.min(text.len());
    let start = problem.span.start.min(end);
    let mark = AnnotationKind::Primary.span(start..end);
    let mark = if problem.label.is_empty() { mark } else { mark.label(problem.label.as_str()) };
    let snippet = Snippet::source(text).path(name).annotation(mark);
    let group = Level::ERROR.primary_title(problem.message.as_str()).element(snippet);
    match &problem.help {
        Some(help) => group.element(Level::HELP.message(help.as_str())),
        None => group,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_shows_file_line_column_and_help() {
        let text = "a = 1\nlisten = \"here\"\n";
        let problem = Problem::new(15..21, "invalid socket address")
            .label("no address")
            .help("write it like `127.0.0.1:8080`");
        let drawn = render("vgate.toml", text, &[problem], false);
        assert!(drawn.contains("error: invalid socket address"), "{drawn}");
        assert!(drawn.contains("vgate.toml:2:10"), "{drawn}");
        assert!(drawn.contains("^^^^^^ no address"), "{drawn}");
        assert!(drawn.contains("help: write it like"), "{drawn}");
    }

    #[test]
    fn a_place_beyond_the_file_does_not_panic() {
        let drawn = render("x", "a", &[Problem::new(5..9, "gone")], false);
        assert!(drawn.contains("gone"));
    }
}
