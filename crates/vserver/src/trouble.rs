//! What a failure to accept means, and whether to wait before the next try.

use std::io;

// The same numbers on Linux and macOS; `io::ErrorKind` has no names for them.
const ENFILE: i32 = 23;
const EMFILE: i32 = 24;
const ENOBUFS: i32 = if cfg!(target_os = "linux") { 105 } else { 55 };

/// Why a connection could not be accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// That one connection was lost before it was accepted; the next may be there already.
    Connection,
    /// File descriptors or memory are used up: waiting is all that helps.
    Resources,
    /// Anything else.
    Other,
}

impl Trouble {
    #[cfg_attr(not(feature = "metrics"), expect(dead_code, reason = "only metrics count by kind"))]
    pub(crate) const ALL: [Self; 3] = [Self::Connection, Self::Resources, Self::Other];

    /// Sorts an error of `accept`. Linux also reports what happened to the waiting connection
    /// (accept(2), "Error handling").
    pub(crate) fn of(error: &io::Error) -> Self {
        if matches!(error.raw_os_error(), Some(ENFILE | EMFILE | ENOBUFS)) {
            return Self::Resources;
        }
        match error.kind() {
            io::ErrorKind::OutOfMemory => Self::Resources,
            io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionRefused
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::HostUnreachable
            | io::ErrorKind::Interrupted
            | io::ErrorKind::NetworkDown
            | io::ErrorKind::NetworkUnreachable
            | io::ErrorKind::TimedOut => Self::Connection,
            _ => Self::Other,
        }
    }

    /// The value of the label `kind`.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Connection => "connection",
            Self::Resources => "resources",
            Self::Other => "other",
        }
    }

    /// Whether the next try would fail for the same reason, if it came at once.
    pub(crate) const fn lasts(self) -> bool {
        match self {
            Self::Connection => false,
            Self::Resources | Self::Other => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lost_connection_is_no_reason_to_wait() {
        let lost = Trouble::of(&io::ErrorKind::ConnectionAborted.into());
        assert_eq!(lost, Trouble::Connection);
        assert!(!lost.lasts());
    }

    #[test]
    fn used_up_descriptors_and_memory_last() {
        for errno in [ENFILE, EMFILE, ENOBUFS] {
            let trouble = Trouble::of(&io::Error::from_raw_os_error(errno));
            assert_eq!(trouble, Trouble::Resources);
            assert!(trouble.lasts());
        }
    }

    #[test]
    fn what_is_not_known_is_waited_out_too() {
        let denied = Trouble::of(&io::ErrorKind::PermissionDenied.into());
        assert_eq!(denied, Trouble::Other);
        assert!(denied.lasts());
    }
}
