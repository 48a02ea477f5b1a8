//! Signals begin the shutdown, end it, and ask for a reload.
#![cfg(all(unix, feature = "signal"))]
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs, reason = "tests")]

use std::process::Command;
use std::time::Duration;

use tokio::sync::oneshot;
use vtask::Shutdown;
use vtask::signal::{Hangups, StopSignal, stop_on_signal};

/// Sends a signal to this very process.
fn send(signal: &str) {
    let id = std::process::id().to_string();
    let status = Command::new("sh").args(["-c", &format!("kill -s {signal} {id}")]).status();
    assert!(status.expect("`sh` runs").success());
}

// One test, because signals go to every test of a process.
#[tokio::test]
async fn the_first_signal_begins_and_the_second_calls_back() {
    let mut hangups = Hangups::new().unwrap();
    let shutdown = Shutdown::new(Duration::from_secs(30));
    let (sender, receiver) = oneshot::channel();
    let _task = stop_on_signal(&shutdown, |signal| sender.send(signal).unwrap()).unwrap();

    send("HUP");
    hangups.next().await;
    assert!(!shutdown.watch().is_draining());

    send("TERM");
    shutdown.watch().draining().await;

    send("INT");
    let signal = receiver.await.unwrap();
    assert_eq!((signal, signal.exit_code()), (StopSignal::Interrupt, 130));
}
