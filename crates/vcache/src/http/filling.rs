//! An answer that is being stored and may be shared meanwhile.

use std::sync::{Arc, Weak};

use vhttp::Body;

use crate::http::audience::Audience;
use crate::http::background::Background;
use crate::http::flow::{Flow, Ties};
use crate::http::stored::Stored;
use crate::http::vary::VaryKey;

/// The head as it will be stored, and the body as far as it has come.
#[derive(Debug)]
pub(crate) struct Filling {
    /// Without content; its length is there if it was announced.
    pub(crate) preview: Stored,
    pub(crate) flow: Arc<Flow>,
    pub(crate) expected: Option<u64>,
    pub(crate) audience: Audience,
    pub(crate) owner: Weak<Background>,
}

impl Filling {
    pub(crate) const fn vary(&self) -> &VaryKey {
        &self.preview.vary
    }

    /// The body for one more client; `None` when its beginning is not kept any more.
    pub(crate) fn body(&self) -> Option<Body> {
        let ties = Ties::new(self.audience.seat(), self.owner.upgrade());
        self.flow.read(self.expected, ties).map(Body::new)
    }
}
