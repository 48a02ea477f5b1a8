//! Verve against its peers: the same work, in one run.
