//! `/api/explain`: what would happen to a request, as JSON.

use http::{Request, Response, StatusCode};
use verve::http::{Body, Reject};

use crate::admin::page::text;
use crate::explain::answer::{Known, answer};
use crate::explain::question::Question;
use crate::state::State;

/// Answers `?url=…&method=…&field=…`.
pub(crate) fn explain(state: &State, request: &Request<Body>) -> Response<Body> {
    let graph = state.graph();
    let known = Known {
        config: graph.config(),
        running: true,
        find: &|host, path| graph.find(host, path),
        cache: &|name| Some((**graph.shared().caches.get(name)?.made()).clone()),
    };
    let question = Question::from_query(request.uri().query().unwrap_or_default());
    match question.and_then(|question| answer(&question, &known)) {
        Ok(answer) => text("application/json", format!("{answer:#}\n")),
        Err(why) => Reject::new(StatusCode::BAD_REQUEST, "question").detail(why).into_response(),
    }
}
