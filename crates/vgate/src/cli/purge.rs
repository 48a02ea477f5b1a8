//! `vgate purge`: tells a running gateway what to forget.

use std::net::SocketAddr;

use clap::{ArgGroup, Args};
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{Request, StatusCode};
use http_body_util::{BodyExt as _, Limited};
use serde_json::{Map, Value, json};
use tower_service::Service as _;
use verve::http::Body;
use verve::pool::http::Client;

use crate::exit::Failure;
use crate::gateway::runtime;
use crate::say::{chain, failed, say};

/// The flags of `vgate purge`. At least one target is needed; each can be named again.
#[derive(Debug, Args)]
#[command(group(ArgGroup::new("target").required(true).multiple(true)))]
pub(crate) struct Purge {
    /// A URL, with all its variants.
    #[arg(long, value_name = "URL", group = "target")]
    url: Vec<String>,

    /// What the origin tagged with `Surrogate-Key` or `Cache-Tag`.
    #[arg(long, value_name = "TAG", group = "target")]
    tag: Vec<String>,

    /// Every URL that begins with this one.
    #[arg(long, value_name = "URL", group = "target")]
    prefix: Vec<String>,

    /// Everything of a host.
    #[arg(long, value_name = "HOST", group = "target")]
    host: Vec<String>,

    /// Everything.
    #[arg(long, group = "target")]
    all: bool,

    /// Remove it; else it is stale from now on, and kept to be validated and to stand in while
    /// the origin is down.
    #[arg(long)]
    hard: bool,

    /// In this cache only.
    #[arg(long, value_name = "NAME")]
    cache: Option<String>,

    /// The gateway's admin listener; again for several gateways.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:9900")]
    admin: Vec<SocketAddr>,

    /// The token of `[admin]`; others on this machine can see it here, and not in the
    /// environment variable VGATE_ADMIN_TOKEN.
    #[arg(long, value_name = "TOKEN")]
    token: Option<String>,
}

/// Bytes of an answer that are read.
const MAX_ANSWER: usize = 1 << 20;

impl Purge {
    pub(super) fn execute(self) -> Result<(), Failure> {
        runtime()?.block_on(self.send())
    }

    async fn send(self) -> Result<(), Failure> {
        let client = Client::builder().build();
        let mut client = client.map_err(|error| failed(&format!("error: {}", chain(&error))))?;
        let mut all = Ok(());
        for admin in &self.admin {
            for order in self.orders() {
                // One gateway that is away must not spare the others.
                match self.order(&mut client, *admin, &order).await {
                    Ok(done) => say(&self.report(*admin, &order, &done)),
                    Err(message) => all = Err(failed(&message)),
                }
            }
        }
        all
    }

    /// What was done, in a line.
    fn report(&self, admin: SocketAddr, order: &Map<String, Value>, done: &Value) -> String {
        let (responses, urls) = (&done["responses"], &done["urls"]);
        let how = if self.hard { "removed" } else { "marked stale" };
        let place = if self.admin.len() > 1 { format!("{admin}: ") } else { String::new() };
        format!("{place}{}: {how}: responses {responses}, URLs {urls}", name(order))
    }

    fn orders(&self) -> Vec<Map<String, Value>> {
        let named = [
            ("url", &self.url),
            ("tag", &self.tag),
            ("prefix", &self.prefix),
            ("host", &self.host),
        ];
        let named = named.into_iter().flat_map(|(key, values)| {
            values.iter().map(move |value| Map::from_iter([(key.to_owned(), json!(value))]))
        });
        let all = self.all.then(|| Map::from_iter([("everything".to_owned(), json!(true))]));
        named.chain(all).collect()
    }

    async fn order(
        &self,
        client: &mut Client,
        admin: SocketAddr,
        order: &Map<String, Value>,
    ) -> Result<Value, String> {
        let request = self.request(admin, order)?;
        let away = |error: &dyn std::error::Error| {
            format!("error: no answer from a gateway at {admin}: {}", chain(error))
        };
        let answer = client.call(request).await.map_err(|error| away(&error))?;
        let status = answer.status();
        let body = Limited::new(answer.into_body(), MAX_ANSWER).collect().await;
        let body = body.map_err(|error| away(&*error))?.to_bytes();
        understood(status, serde_json::from_slice(&body).unwrap_or_default())
    }

    /// The order as a request, with the token if there is one.
    fn request(
        &self,
        admin: SocketAddr,
        order: &Map<String, Value>,
    ) -> Result<Request<Body>, String> {
        let mut order = order.clone();
        order.insert("hard".to_owned(), json!(self.hard));
        if let Some(cache) = &self.cache {
            order.insert("cache".to_owned(), json!(cache));
        }
        let mut request = Request::post(format!("http://{admin}/api/purge"))
            .header(CONTENT_TYPE, "application/json");
        let from_environment = || std::env::var("VGATE_ADMIN_TOKEN").ok();
        if let Some(token) = self.token.clone().or_else(from_environment) {
            request = request.header(AUTHORIZATION, format!("Bearer {token}"));
        }
        request
            .body(Body::full(Value::Object(order).to_string()))
            .map_err(|_| "error: the token has characters that no field can have".to_owned())
    }
}

/// What was done, or why it was not.
fn understood(status: StatusCode, body: Value) -> Result<Value, String> {
    if status == StatusCode::OK {
        return Ok(body);
    }
    let said = |field: &str| body.get(field).and_then(Value::as_str);
    let why = said("detail").or_else(|| said("title"));
    Err(format!("error: the gateway refused with {status}: {}", why.unwrap_or("no reason")))
}

/// What an order is about, for people.
fn name(order: &Map<String, Value>) -> String {
    let target = order.iter().next();
    target.map_or_else(String::new, |(key, value)| match value.as_str() {
        Some(text) => format!("{key} {text}"),
        None => key.clone(),
    })
}
