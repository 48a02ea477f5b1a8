//! Fills vcache's hook with vcompress, so that a stored answer is coded once, not at every hit.

use bytes::Bytes;
use http::header::CONTENT_LENGTH;
use http::{HeaderMap, response};
use vcache::http::Encode;
use vcompress::{Answer, Coding, Config, choose, encode};

/// Codes stored answers with the settings of the compress layer.
#[derive(Debug)]
pub(crate) struct Coder {
    pub(crate) config: Config,
}

impl Encode for Coder {
    fn choose(&self, request: &HeaderMap, response: &response::Parts) -> Option<&'static str> {
        let length = response.headers.get(CONTENT_LENGTH);
        let length = length.and_then(|value| value.to_str().ok()?.parse().ok());
        let answer = Answer { status: response.status, headers: &response.headers, length };
        choose(request, &answer, &self.config).map(Coding::as_str)
    }

    fn encode(&self, coding: &'static str, identity: &Bytes) -> Option<Bytes> {
        let coding = Coding::from_name(coding)?;
        encode(coding, self.config.levels.of(coding), identity)
    }
}
