//! The answer as JSON: route, rules, what is stored.

use http::Request;
use serde_json::{Value, json};
use verve::cache::http::HttpCache;
use verve::cache::http::explain::{NotStored, Step, Variant};
use verve::http::{Body, Reason, Reject};

use crate::build::stack::vouch;
use crate::config::Config;
use crate::config::route::Route;
use crate::explain::question::Question;
use crate::normalise;

/// What is known of a configuration, running or not.
pub(crate) struct Known<'a> {
    pub(crate) config: &'a Config,
    /// Whether it is running, so that what is stored is known.
    pub(crate) running: bool,
    /// The place of the route that takes a host and a path.
    pub(crate) find: &'a dyn Fn(&str, &str) -> Option<usize>,
    /// A cache by its name.
    pub(crate) cache: &'a dyn Fn(&str) -> Option<HttpCache>,
}

impl Known<'_> {
    /// The route that takes a request.
    fn route(&self, request: &Request<Body>) -> Option<Route> {
        let host = normalise::host(request);
        let place = (self.find)(&host, request.uri().path())?;
        self.config.routes().into_iter().nth(place)
    }
}

/// Answers a question.
///
/// # Errors
///
/// Fails with a sentence for people when the question is no request.
pub(crate) fn answer(question: &Question, known: &Known<'_>) -> Result<Value, String> {
    let mut request = question.request()?;
    let refused = normalise::normalise(&mut request).err().map(refusal);
    let route = known.route(&request).filter(|_| refused.is_none());
    let cache = route.as_ref().and_then(|route| route.cache.as_deref());
    if let Some(Ok(vouch)) = route.as_ref().map(|route| vouch(known.config, route)) {
        request = vouch.vouch(request);
    }
    let cache = cache.and_then(|name| Some(rules(name, &(known.cache)(name)?, request)));
    Ok(json!({
        "running": known.running,
        "method": question.method,
        "url": question.url,
        "refused": refused,
        "route": route.as_ref().map(matched),
        "cache": cache,
    }))
}

fn refusal(reject: Reject) -> Value {
    let response = reject.into_response();
    let reason = response.extensions().get::<Reason>().map(|reason| reason.0);
    json!({ "status": response.status().as_u16(), "reason": reason })
}

fn matched(route: &Route) -> Value {
    json!({
        "name": route.name(),
        "hosts": route.hosts,
        "path": route.path,
        "upstream": route.upstream,
        "cache": route.cache,
        "rate_limit": route.rate_limit,
        "in_flight": route.in_flight,
        "compress": route.compress.is_some(),
        "idempotency": route.idempotency.is_some(),
    })
}

fn rules(name: &str, cache: &HttpCache, request: Request<Body>) -> Value {
    let (parts, _) = request.into_parts();
    let explanation = cache.explain(&parts);
    json!({
        "name": name,
        "key": explanation.key,
        "decision": explanation.decision,
        "cache_status": explanation.cache_status,
        "steps": explanation.steps.iter().map(step).collect::<Value>(),
        "stored": explanation.variants.iter().map(stored).collect::<Value>(),
        "not_stored": explanation.not_stored.as_ref().map(not_stored),
    })
}

/// The last answer that was not stored.
fn not_stored(refused: &NotStored) -> Value {
    json!({
        "ago": refused.ago.as_secs(),
        "status": refused.status.as_u16(),
        "reason": refused.reason,
        "steps": refused.steps.iter().map(step).collect::<Value>(),
    })
}

fn step(step: &Step) -> Value {
    json!({ "section": step.section, "rule": step.rule, "finding": step.finding })
}

/// Times are in whole seconds.
fn stored(variant: &Variant) -> Value {
    json!({
        "selected": variant.selected,
        "status": variant.status.as_u16(),
        "bytes": variant.bytes,
        "vary": vary(variant),
        "age": variant.age.as_secs(),
        "lifetime": variant.lifetime.as_secs(),
        "fresh": variant.fresh,
        "forbids_stale": variant.forbids_stale,
        "always_validate": variant.always_validate,
        "assumed": variant.assumed,
        "stale_while_revalidate": variant.stale_while_revalidate.as_secs(),
        "stale_if_error": variant.stale_if_error.as_secs(),
        "kept_for": variant.kept_for.as_secs(),
        "etag": variant.etag,
        "last_modified": variant.last_modified,
        "tags": variant.tags,
    })
}

/// The fields that it depends on, with their values.
fn vary(variant: &Variant) -> Value {
    let fields = variant.vary.iter().map(|(name, value)| (name.clone(), json!(value)));
    Value::Object(fields.collect())
}
