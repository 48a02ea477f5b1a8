//! The extensions of a request that we know, kept for another try without a copy of the rest.

use http::Extensions;
use vhttp::{ClientAddr, Connection, Interim, Timeline};

/// Copies of the extensions that servers and layers of Verve put into a request.
#[derive(Debug)]
pub(crate) struct Known {
    connection: Option<Connection>,
    client: Option<ClientAddr>,
    interim: Option<Interim>,
    timeline: Option<Timeline>,
}

impl Known {
    /// The copies; `None` when there are others, which only a copy of everything keeps.
    pub(crate) fn all_of(extensions: &Extensions) -> Option<Self> {
        let known = Self {
            connection: extensions.get().copied(),
            client: extensions.get().copied(),
            interim: extensions.get().cloned(),
            timeline: extensions.get().cloned(),
        };
        let count = usize::from(known.connection.is_some())
            + usize::from(known.client.is_some())
            + usize::from(known.interim.is_some())
            + usize::from(known.timeline.is_some());
        (count == extensions.len()).then_some(known)
    }

    /// The extensions again.
    pub(crate) fn to_extensions(&self) -> Extensions {
        let mut extensions = Extensions::new();
        if let Some(connection) = self.connection {
            extensions.insert(connection);
        }
        if let Some(client) = self.client {
            extensions.insert(client);
        }
        if let Some(interim) = &self.interim {
            extensions.insert(interim.clone());
        }
        if let Some(timeline) = &self.timeline {
            extensions.insert(timeline.clone());
        }
        extensions
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_known_comes_back_and_strangers_are_noticed() {
        let address = "127.0.0.1:1".parse().unwrap();
        let mut extensions = Extensions::new();
        assert!(Known::all_of(&extensions).unwrap().to_extensions().is_empty());
        extensions.insert(Connection::new(address, address, false));
        extensions.insert(ClientAddr(address.ip()));
        extensions.insert(Timeline::new());
        extensions.insert(vhttp::Outbox::new().open());
        let again = Known::all_of(&extensions).unwrap().to_extensions();
        assert_eq!(again.len(), 4);
        assert_eq!(again.get(), Some(&ClientAddr(address.ip())));
        extensions.insert("of somebody else");
        assert!(Known::all_of(&extensions).is_none());
    }
}
