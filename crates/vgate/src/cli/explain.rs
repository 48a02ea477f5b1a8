//! `vgate explain`: what would happen to a request, and why.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Args;
use http::{Request, StatusCode};
use http_body_util::{BodyExt as _, Limited};
use serde_json::Value;
use tower_service::Service as _;
use verve::http::Body;
use verve::pool::http::Client;

use crate::build::graph::table;
use crate::build::shared::Shared;
use crate::config::{Admin, Config};
use crate::exit::Failure;
use crate::explain::answer::{Known, answer};
use crate::explain::question::Question;
use crate::explain::text::text;
use crate::gateway::runtime;
use crate::load::load;
use crate::say::{chain, complain, failed, say};

/// The flags of `vgate explain`.
#[derive(Debug, Args)]
pub(crate) struct Explain {
    /// The URL, with scheme and host.
    #[arg(value_name = "URL")]
    url: String,

    /// A field of the request; can be named again.
    #[arg(short = 'H', long = "header", value_name = "NAME: VALUE")]
    fields: Vec<String>,

    /// The method.
    #[arg(short = 'X', long, value_name = "METHOD", default_value = "GET")]
    method: String,

    /// The configuration file: it says where the admin listener is, and is explained itself when
    /// no gateway answers there. Default: `vgate.toml`, if there is one.
    #[arg(short, long = "config", value_name = "FILE")]
    config: Option<PathBuf>,

    /// The gateway's admin listener. Default: the one of the configuration.
    #[arg(long, value_name = "ADDR")]
    admin: Option<SocketAddr>,

    /// As JSON.
    #[arg(long)]
    json: bool,
}

/// Bytes of an answer that are read.
const MAX_ANSWER: usize = 8 << 20;

/// Why a gateway gave no answer.
enum Silence {
    /// It cannot be reached.
    Away(String),
    /// It refused the question.
    Refused(String),
}

impl Explain {
    pub(super) fn execute(self) -> Result<(), Failure> {
        let config = self.load()?;
        let answer = self.answer(config.as_ref())?;
        say(&if self.json { format!("{answer:#}") } else { text(&answer).trim_end().to_owned() });
        Ok(())
    }

    /// The gateway's answer, or the file's where no gateway answers.
    fn answer(&self, config: Option<&Config>) -> Result<Value, Failure> {
        let (url, method) = (self.url.clone(), self.method.clone());
        let question = Question { url, method, fields: self.fields.clone() };
        let listen = config.map_or_else(|| Admin::default().listen, |c| c.admin.listen);
        let admin = self.admin.unwrap_or(listen);
        match (runtime()?.block_on(ask(admin, &question)), config) {
            (Ok(answer), _) => Ok(answer),
            (Err(Silence::Away(_)), Some(config)) => offline(&question, config),
            (Err(Silence::Away(why) | Silence::Refused(why)), _) => {
                Err(failed(&format!("error: {why}")))
            }
        }
    }

    /// The file that was named, or the usual one if it is there.
    fn load(&self) -> Result<Option<Config>, Failure> {
        let usual = PathBuf::from("vgate.toml");
        let file = match &self.config {
            Some(file) => file,
            None if usual.exists() => &usual,
            None => return Ok(None),
        };
        load(file).map(Some).map_err(|text| {
            complain(&text);
            Failure::Config
        })
    }
}

/// Asks a running gateway.
async fn ask(admin: SocketAddr, question: &Question) -> Result<Value, Silence> {
    let uri = format!("http://{admin}/api/explain?{}", question.to_query());
    let request = Request::get(uri).body(Body::empty());
    let request = request.map_err(|_| Silence::Refused("the URL is too long".to_owned()))?;
    let (status, answer) = exchange(request)
        .await
        .map_err(|why| Silence::Away(format!("no answer from a gateway at {admin}: {why}")))?;
    if status == StatusCode::OK {
        return Ok(answer);
    }
    let why = answer.get("detail").and_then(Value::as_str).unwrap_or("it does not explain");
    Err(Silence::Refused(format!("the gateway at {admin} refused with {status}: {why}")))
}

/// The status and the JSON that answer a request; a sentence where nothing does.
async fn exchange(request: Request<Body>) -> Result<(StatusCode, Value), String> {
    let mut client = Client::builder().build().map_err(|error| chain(&error))?;
    let response = client.call(request).await.map_err(|error| chain(&error))?;
    let status = response.status();
    let body = Limited::new(response.into_body(), MAX_ANSWER).collect().await;
    let body = body.map_err(|error| chain(&*error))?.to_bytes();
    Ok((status, serde_json::from_slice(&body).unwrap_or_default()))
}

/// What the configuration says by itself, with nothing stored.
fn offline(question: &Question, config: &Config) -> Result<Value, Failure> {
    let (table, shared) = (table(config), Shared::make(config, 1, None, &mut Vec::new()));
    let known = Known {
        config,
        running: false,
        find: &|host, path| table.find(host, path),
        cache: &|name| Some((**shared.caches.get(name)?.made()).clone()),
    };
    answer(question, &known).map_err(|why| failed(&format!("error: {why}")))
}
