//! One connection: hyper's sender, and the tasks that drive it, owned.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http::{Request, Response};
use hyper::body::Incoming;
use hyper::client::conn::{TrySendError, http1, http2};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::task::JoinSet;
use vhttp::Body;
use vtask::Task;

use crate::http::traffic::{Socket, Traffic, Wire};
use crate::http::upload::Upload;

/// How long a connection may take to turn round after a complete exchange. Its task needs a few
/// turns of the scheduler; one that takes longer is not worth waiting for.
const SETTLE: Duration = Duration::from_millis(20);

/// A request that got no response head.
#[derive(Debug)]
pub(crate) struct Lost {
    /// What hyper says.
    pub(crate) error: hyper::Error,
    /// The request, when nothing of it was taken up.
    pub(crate) request: Option<Request<Body>>,
    /// Whether anything was read on the connection since the request.
    pub(crate) read: bool,
    /// Whether anything was written on the connection since the request.
    pub(crate) written: bool,
}

impl Lost {
    fn new(mut failure: TrySendError<Request<Upload>>, read: bool, written: bool) -> Self {
        let request = failure.take_message().map(|request| request.map(Upload::into_body));
        Self { error: failure.into_error(), request, read, written }
    }
}

/// An HTTP/1.1 connection; dropping it closes the socket.
#[derive(Debug)]
pub(crate) struct Http1 {
    sender: http1::SendRequest<Upload>,
    traffic: Arc<Traffic>,
    task: Task,
}

impl Http1 {
    /// Starts HTTP/1.1 on `socket`.
    pub(crate) async fn start(builder: &http1::Builder, socket: Socket) -> hyper::Result<Self> {
        let traffic = Arc::new(Traffic::default());
        let wire = Wire { socket, traffic: Arc::clone(&traffic) };
        let (sender, connection) = builder.handshake(TokioIo::new(wire)).await?;
        let task = Task::spawn(async move {
            // A failure reaches the request under way through its own channel.
            let _ = connection.with_upgrades().await;
        });
        Ok(Self { sender, traffic, task })
    }

    /// Whether the connection may carry another request: open, and the last body gone.
    pub(crate) fn is_usable(&self) -> bool {
        !self.sender.is_closed() && !self.traffic.is_uploading()
    }

    /// Waits a moment until the connection takes a request; `false` when it does not.
    pub(crate) async fn settle(&mut self) -> bool {
        if self.sender.is_ready() {
            return true;
        }
        matches!(tokio::time::timeout(SETTLE, self.sender.ready()).await, Ok(Ok(())))
    }

    /// Sends `request` and waits for the response's head.
    pub(crate) async fn send(
        &mut self,
        request: Request<Body>,
    ) -> Result<Response<Incoming>, Box<Lost>> {
        let request = request.map(|body| Upload::on(body, &self.traffic));
        let sent = self.sender.try_send_request(request).await;
        sent.map_err(|failure| {
            let (read, written) = (self.traffic.has_read(), self.traffic.has_written());
            Box::new(Lost::new(failure, read, written))
        })
    }

    /// Waits until hyper lets go of the socket, as it does after a 101.
    pub(crate) async fn ended(&mut self) {
        self.task.wait().await;
    }
}

/// An HTTP/2 connection; dropping it ends its tasks and closes the socket.
#[derive(Debug)]
pub(crate) struct Http2 {
    sender: http2::SendRequest<Upload>,
    tasks: Tasks,
}

impl Http2 {
    /// Starts HTTP/2 on `socket` (RFC 9113 §3.4).
    pub(crate) async fn start(
        socket: Socket,
        max_header_bytes: u32,
        ping_interval: Duration,
    ) -> hyper::Result<Self> {
        let tasks = Tasks::default();
        let wire = Wire { socket, traffic: Arc::default() };
        let handshake = http2::Builder::new(tasks.clone())
            .timer(TokioTimer::new())
            .adaptive_window(true)
            .max_header_list_size(max_header_bytes)
            .keep_alive_interval(ping_interval)
            .keep_alive_timeout(ping_interval)
            .handshake(TokioIo::new(wire));
        let (sender, connection) = handshake.await?;
        tasks.spawn(async move {
            // A failure reaches the requests under way through their own channels.
            let _ = connection.await;
        });
        Ok(Self { sender, tasks })
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.sender.is_closed()
    }

    /// A handle for one request.
    pub(crate) fn sender(&self) -> http2::SendRequest<Upload> {
        self.sender.clone()
    }
}

impl Drop for Http2 {
    fn drop(&mut self) {
        self.tasks.end();
    }
}

/// Sends `request` as a stream of its own and waits for the response's head.
pub(crate) async fn send_stream(
    sender: &mut http2::SendRequest<Upload>,
    request: Request<Body>,
) -> Result<Response<Incoming>, Box<Lost>> {
    let request = request.map(Upload::plain);
    let sent = sender.try_send_request(request).await;
    // What other streams read and write says nothing about this one: assume the worst.
    sent.map_err(|failure| Box::new(Lost::new(failure, false, true)))
}

/// The tasks of one HTTP/2 connection. hyper's own tasks hold a clone, so they are ended by
/// word, not by the last clone's end.
#[derive(Clone, Debug)]
struct Tasks {
    set: Arc<Mutex<Option<JoinSet<()>>>>,
}

impl Default for Tasks {
    fn default() -> Self {
        Self { set: Arc::new(Mutex::new(Some(JoinSet::new()))) }
    }
}

impl Tasks {
    fn spawn<F: Future<Output = ()> + Send + 'static>(&self, future: F) {
        let mut set = self.set.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(set) = &mut *set {
            while set.try_join_next().is_some() {}
            set.spawn(future);
        }
    }

    fn end(&self) {
        let set = self.set.lock().unwrap_or_else(PoisonError::into_inner).take();
        // Dropped outside the lock: it aborts the tasks, which may drop clones of us.
        drop(set);
    }
}

impl<F: Future<Output = ()> + Send + 'static> hyper::rt::Executor<F> for Tasks {
    fn execute(&self, future: F) {
        self.spawn(future);
    }
}
