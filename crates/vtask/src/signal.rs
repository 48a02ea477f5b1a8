//! Signals of the operating system: stop, stop now, reload.

use std::io;

use tokio::signal::unix::{self, SignalKind};

use crate::shutdown::Shutdown;
use crate::task::Task;

/// A signal that asks the process to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum StopSignal {
    /// SIGTERM: a supervisor wants the process to stop.
    Terminate,
    /// SIGINT: somebody pressed Ctrl-C.
    Interrupt,
}

impl StopSignal {
    /// What a process that this signal ended exits with: 128 and the signal's number.
    #[must_use]
    pub const fn exit_code(self) -> u8 {
        match self {
            Self::Terminate => 128 + 15,
            Self::Interrupt => 128 + 2,
        }
    }
}

/// Begins `shutdown` at the first SIGTERM or SIGINT, and calls `again` at the second.
///
/// `again` is usually `|signal| std::process::exit(signal.exit_code().into())`: who asks twice
/// does not want to wait. Dropping the task leaves the signals without effect, because their
/// default was replaced; keep it as long as the process runs.
///
/// # Errors
///
/// Fails when a signal handler cannot be installed.
///
/// # Panics
///
/// Panics outside of a tokio runtime with I/O enabled.
pub fn stop_on_signal(
    shutdown: &Shutdown,
    again: impl FnOnce(StopSignal) + Send + 'static,
) -> io::Result<Task> {
    let mut terminate = unix::signal(SignalKind::terminate())?;
    let mut interrupt = unix::signal(SignalKind::interrupt())?;
    let shutdown = shutdown.clone();
    Ok(Task::spawn(async move {
        next(&mut terminate, &mut interrupt).await;
        shutdown.begin();
        again(next(&mut terminate, &mut interrupt).await);
    }))
}

/// Waits for either signal.
async fn next(terminate: &mut unix::Signal, interrupt: &mut unix::Signal) -> StopSignal {
    std::future::poll_fn(|cx| {
        if terminate.poll_recv(cx).is_ready() {
            return std::task::Poll::Ready(StopSignal::Terminate);
        }
        interrupt.poll_recv(cx).map(|_| StopSignal::Interrupt)
    })
    .await
}

/// SIGHUP, which asks a server to read its configuration again.
#[derive(Debug)]
pub struct Hangups(unix::Signal);

impl Hangups {
    /// Takes SIGHUP from now on; it no longer ends the process.
    ///
    /// # Errors
    ///
    /// Fails when the signal handler cannot be installed.
    ///
    /// # Panics
    ///
    /// Panics outside of a tokio runtime with I/O enabled.
    pub fn new() -> io::Result<Self> {
        unix::signal(SignalKind::hangup()).map(Self)
    }

    /// Waits for the next SIGHUP; several that come before it is called count as one.
    ///
    /// Cancel safety: no signal is lost when it is dropped.
    pub async fn next(&mut self) {
        if self.0.recv().await.is_none() {
            // The runtime is shutting down: no signal will come.
            std::future::pending::<()>().await;
        }
    }
}
