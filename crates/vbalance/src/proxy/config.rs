//! What a file can say of the proxy before an upstream.

use std::time::Duration;

use vhttp::Forwarding;
use vhttp::list::is_token;

use crate::config::time;
use crate::error::BuildError;
use crate::proxy::via::Via;

/// More tries than that only multiply an outage.
const MAX_TRIES: u8 = 10;

/// Settings of a [`Proxy`](crate::Proxy).
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[cfg_attr(feature = "serde", serde(default, deny_unknown_fields))]
pub struct ProxyConfig {
    /// Which `Host` the origin sees. Default: `preserve`.
    pub host: HostPolicy,
    /// Which fields tell the origin who asked. Default: `X-Forwarded-For`, `-Proto`, `-Host`.
    pub forwarding: Forwarding,
    /// Our name in the `Via` field of requests (RFC 9110 §7.6.3). Default: `verve`. Empty writes
    /// none, which the RFC does not allow; some origins (nginx) do not compress for a proxy that
    /// names itself.
    pub via: String,
    /// How long a try may take up to the head of the answer, beside the time that the client
    /// takes to send its body. Default: 30 s. Then 504.
    #[cfg_attr(feature = "serde", serde(with = "vunit::duration"))]
    pub head_timeout: Duration,
    /// How long the origin may pause inside an answer. Default: 60 s. Then the answer is cut off,
    /// visibly to the client. Danger: shorter than the pauses of event streams cuts them.
    #[cfg_attr(feature = "serde", serde(with = "vunit::duration"))]
    pub idle_timeout: Duration,
    /// How long all tries together may take up to the head of the answer. Default: no limit of
    /// its own. Then 504. It includes the client's time to send its body.
    #[cfg_attr(
        feature = "serde",
        serde(with = "vunit::duration::option", skip_serializing_if = "Option::is_none")
    )]
    pub deadline: Option<Duration>,
    /// Tries at most, the first included, 1 to 10. Default: 3. Only what cannot have happened
    /// twice is tried again: see the crate's documentation.
    pub tries: u8,
    /// Passes WebSocket upgrades on. Default: true. Other protocols are never passed on.
    pub upgrade: bool,
    /// A tunnel without a byte either way for so long is closed. Default: 10 min.
    #[cfg_attr(feature = "serde", serde(with = "vunit::duration"))]
    pub tunnel_idle: Duration,
    /// Tunnels at a time; above, upgrades get 503. Default: 10 000. A tunnel holds two
    /// connections and about 20 KiB. Without effect when the tunnels are shared.
    pub max_tunnels: usize,
}

impl Default for ProxyConfig {
    fn default() -> Self {
        Self {
            host: HostPolicy::Preserve,
            forwarding: Forwarding::default(),
            via: "verve".to_owned(),
            head_timeout: Duration::from_secs(30),
            idle_timeout: Duration::from_secs(60),
            deadline: None,
            tries: 3,
            upgrade: true,
            tunnel_idle: Duration::from_secs(600),
            max_tunnels: 10_000,
        }
    }
}

impl ProxyConfig {
    pub(crate) fn check(&self) -> Result<(), BuildError> {
        time("head_timeout", self.head_timeout)?;
        time("idle_timeout", self.idle_timeout)?;
        time("tunnel_idle", self.tunnel_idle)?;
        if let Some(deadline) = self.deadline {
            time("deadline", deadline)?;
        }
        match self.tries {
            1..=MAX_TRIES => Ok(()),
            tries => Err(BuildError::Tries(tries)),
        }
    }

    /// The name for `Via`; `None` when none is written.
    pub(crate) fn via(&self) -> Result<Option<Via>, BuildError> {
        if self.via.is_empty() {
            return Ok(None);
        }
        // A pseudonym is a token (RFC 9110 §7.6.3).
        let via = is_token(&self.via).then(|| Via::new(&self.via).ok());
        match via.flatten() {
            Some(via) => Ok(Some(via)),
            None => Err(BuildError::Via(self.via.clone())),
        }
    }
}

/// Which `Host` the origin sees.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum HostPolicy {
    /// The one that the client asked for.
    #[default]
    Preserve,
    /// The endpoint's own; what the client asked for stands in `X-Forwarded-Host`.
    Upstream,
}
