//! One connection in paused time: every wait ends, and a drain is heard.

use std::convert::Infallible;
use std::io;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body::Frame;
use http_body_util::{BodyExt, Empty};
use hyper::client::conn::http2::{self, SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower_service::Service;
use vhttp::Body;
use vtask::Shutdown;

use super::Acceptor;
use crate::config::Config;
use crate::conn::{Accepted, App, Hold, serve};
use crate::site::{Checked, Site};
use crate::stats::Tally;

const GET: &[u8] = b"GET / HTTP/1.1\r\nhost: h\r\n\r\n";

/// Answers after `after` with a body of `size` bytes.
#[derive(Clone, Copy)]
struct Answering {
    after: Duration,
    size: usize,
}

impl Service<Request<Body>> for Answering {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future =
        std::pin::Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let Self { after, size } = *self;
        Box::pin(async move {
            assert!(request.extensions().get::<vhttp::Connection>().is_some());
            sleep(after).await;
            Ok(Response::new(Body::full(vec![b'x'; size])))
        })
    }
}

const AT_ONCE: Answering = Answering { after: Duration::ZERO, size: 2 };

/// A connection being served, seen from the client.
struct Rig {
    client: DuplexStream,
    site: Arc<Site>,
    drain: CancellationToken,
    served: JoinHandle<()>,
    start: Instant,
}

fn rig(config: Config, service: impl App) -> Rig {
    let address = ([127, 0, 0, 1], 1).into();
    let site = Checked::new(config).unwrap().site(address);
    let (client, io) = duplex(1024);
    let drain = CancellationToken::new();
    let accepted = Accepted {
        io,
        peer: address,
        local: address,
        hold: Hold {
            _place: site.tally.enter(1).unwrap(),
            _token: TaskTracker::new().token(),
            _guard: Shutdown::new(Duration::ZERO).watch().guard(),
        },
    };
    let (own_site, own_drain) = (site.clone(), drain.clone());
    let served = tokio::spawn(async move {
        serve(accepted, service, &own_site.rules, &own_site.tally, &own_drain).await;
    });
    Rig { client, site, drain, served, start: Instant::now() }
}

impl Rig {
    /// Sends `bytes` and reads until the answer's head has come.
    async fn ask(&mut self, bytes: &[u8]) -> String {
        self.client.write_all(bytes).await.unwrap();
        let mut answer = Vec::new();
        while !answer.ends_with(b"xx") {
            assert!(self.client.read_buf(&mut answer).await.unwrap() > 0);
        }
        String::from_utf8(answer).unwrap()
    }

    /// Waits for the end of the connection; says when it was, in whole seconds, how many errors
    /// were counted, and what else came.
    async fn end(mut self) -> (u64, u64, String) {
        let mut rest = String::new();
        self.client.read_to_string(&mut rest).await.unwrap();
        self.served.await.unwrap();
        let stats = self.site.tally.stats();
        assert_eq!(stats.open, 0);
        (self.start.elapsed().as_secs(), stats.errors, rest)
    }
}

fn both_cleartext_modes() -> [Config; 2] {
    [true, false].map(|h2c| Config { h2c, ..Config::default() })
}

#[tokio::test(start_paused = true)]
async fn a_client_that_says_nothing_is_let_go() {
    for config in both_cleartext_modes() {
        let rig = rig(config, AT_ONCE);
        assert_eq!(rig.end().await, (10, 1, String::new()));
    }
}

#[tokio::test(start_paused = true)]
async fn a_head_in_drips_is_not_waited_for() {
    for config in both_cleartext_modes() {
        let mut rig = rig(config, AT_ONCE);
        for byte in &GET[..9] {
            rig.client.write_all(&[*byte]).await.unwrap();
            sleep(Duration::from_secs(1)).await;
        }
        assert_eq!(rig.end().await, (10, 1, String::new()));
    }
}

#[tokio::test(start_paused = true)]
async fn an_idle_connection_is_kept_for_its_time_and_closed_in_peace() {
    let mut rig = rig(Config::default(), AT_ONCE);
    rig.ask(GET).await;
    sleep(Duration::from_secs(74)).await;
    rig.ask(GET).await;
    assert_eq!(rig.end().await, (74 + 75, 0, String::new()));
}

#[tokio::test(start_paused = true)]
async fn the_second_head_has_its_own_limit() {
    let mut rig = rig(Config::default(), AT_ONCE);
    rig.ask(GET).await;
    sleep(Duration::from_secs(30)).await;
    rig.client.write_all(b"GET /").await.unwrap();
    assert_eq!(rig.end().await, (40, 1, String::new()));
}

#[tokio::test(start_paused = true)]
async fn a_slow_answer_is_no_idle_connection() {
    let slow = Answering { after: Duration::from_secs(1000), size: 2 };
    let mut rig = rig(Config::default(), slow);
    assert!(rig.ask(GET).await.starts_with("HTTP/1.1 200"));
    assert_eq!(rig.end().await.0, 1075);
}

const LARGE: Answering = Answering { after: Duration::ZERO, size: 100_000 };

#[tokio::test(start_paused = true)]
async fn a_client_that_reads_nothing_is_cut() {
    let mut rig = rig(Config::default(), LARGE);
    rig.client.write_all(GET).await.unwrap();
    rig.served.await.unwrap();
    assert_eq!(rig.start.elapsed().as_secs(), 30);
    assert_eq!(rig.site.tally.stats().errors, 1);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_reads_slowly_gets_everything() {
    let mut rig = rig(Config::default(), LARGE);
    rig.client.write_all(GET).await.unwrap();
    let (mut answer, mut buffer) = (Vec::new(), [0; 1024]);
    while answer.len() < LARGE.size {
        sleep(Duration::from_secs(25)).await;
        let read = rig.client.read(&mut buffer).await.unwrap();
        answer.extend_from_slice(&buffer[..read]);
    }
    let (_, errors, rest) = rig.end().await;
    assert_eq!(errors, 0);
    answer.extend_from_slice(rest.as_bytes());
    assert_eq!(answer.iter().filter(|b| **b == b'x').count(), LARGE.size);
}

#[tokio::test(start_paused = true)]
async fn a_drain_closes_an_idle_connection_after_a_second() {
    let mut idle = rig(Config::default(), AT_ONCE);
    idle.ask(GET).await;
    idle.drain.cancel();
    assert_eq!(idle.end().await, (1, 0, String::new()));
    for config in both_cleartext_modes() {
        let new = rig(config, AT_ONCE);
        new.drain.cancel();
        assert_eq!(new.end().await, (1, 0, String::new()));
    }
}

#[tokio::test(start_paused = true)]
async fn a_request_just_behind_the_drain_is_answered_and_is_the_last() {
    for config in both_cleartext_modes() {
        let mut idle = rig(config, AT_ONCE);
        idle.ask(GET).await;
        idle.drain.cancel();
        sleep(Duration::from_millis(900)).await;
        let answer = idle.ask(GET).await;
        assert!(answer.contains("connection: close"), "{answer}");
        assert_eq!(idle.end().await, (0, 0, String::new()));
    }
}

#[tokio::test(start_paused = true)]
async fn a_drain_lets_the_request_in_flight_finish_and_says_close() {
    let slow = Answering { after: Duration::from_secs(5), size: 2 };
    let mut rig = rig(Config::default(), slow);
    let drain = rig.drain.clone();
    tokio::spawn(async move {
        sleep(Duration::from_secs(1)).await;
        drain.cancel();
    });
    let answer = rig.ask(GET).await;
    assert!(answer.contains("connection: close"), "{answer}");
    assert_eq!(rig.end().await, (5, 0, String::new()));
}

#[tokio::test(start_paused = true)]
async fn a_request_that_arrived_before_the_drain_is_answered() {
    for config in both_cleartext_modes() {
        let mut rig = rig(config, AT_ONCE);
        rig.client.write_all(GET).await.unwrap();
        rig.drain.cancel();
        let (_, errors, answer) = rig.end().await;
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        assert_eq!(errors, 0);
    }
}

#[tokio::test(start_paused = true)]
async fn a_request_that_comes_in_pieces_around_the_drain_is_answered() {
    for config in both_cleartext_modes() {
        let mut idle = rig(config, AT_ONCE);
        idle.ask(GET).await;
        let (first, rest) = GET.split_at(9);
        idle.client.write_all(first).await.unwrap();
        sleep(Duration::from_millis(1)).await;
        idle.drain.cancel();
        sleep(Duration::from_millis(1)).await;
        let answer = idle.ask(rest).await;
        assert!(answer.contains("connection: close"), "{answer}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_is_not_lost_to_what_the_client_still_sends() {
    let mut rig = rig(Config::default(), AT_ONCE);
    let start = b"POST / HTTP/1.1\r\nhost: h\r\nconnection: close\r\ncontent-length: 9000\r\n\r\n";
    let answer = rig.ask(start).await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    // Our side has ended, but what comes is still read.
    rig.client.write_all(&[b'y'; 9000]).await.unwrap();
    let (seconds, _, rest) = rig.end().await;
    assert_eq!((seconds, rest), (1, String::new()));
}

#[tokio::test(start_paused = true)]
async fn a_drain_does_not_wait_for_a_client_whose_upload_was_read() {
    let mut rig = rig(Config::default(), AT_ONCE);
    rig.ask(b"POST / HTTP/1.1\r\nhost: h\r\ncontent-length: 1\r\n\r\ny").await;
    rig.drain.cancel();
    rig.served.await.unwrap();
    // The second for a request on its way, and none for bytes that nobody has read.
    assert_eq!(rig.start.elapsed(), Duration::from_secs(1));
}

#[tokio::test(start_paused = true)]
async fn a_client_that_leaves_without_a_word_is_no_error() {
    for config in both_cleartext_modes() {
        let mut rig = rig(config, AT_ONCE);
        rig.client.shutdown().await.unwrap();
        assert_eq!(rig.end().await, (0, 0, String::new()));
    }
}

#[tokio::test]
async fn the_accept_loop_outlives_its_errors() {
    let tally = Arc::new(Tally::new("test"));
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let mut acceptor = Acceptor::new(listener);
    acceptor.failed(&io::ErrorKind::ConnectionAborted.into(), &tally);
    assert_eq!(acceptor.not_before, None);
    let too_many_files = io::Error::from_raw_os_error(24);
    acceptor.failed(&too_many_files, &tally);
    assert!(acceptor.not_before.is_some());
    let (client, accepted) = tokio::join!(TcpStream::connect(address), acceptor.next(&tally));
    assert_eq!(client.unwrap().local_addr().unwrap(), accepted.1);
    assert_eq!(acceptor.backoff.attempts(), 0);
    assert_eq!(tally.stats().accept_errors, 2);
}

/// Begins to speak HTTP/2 with the rig's server.
async fn http2(rig: &mut Rig) -> (SendRequest<Empty<Bytes>>, JoinHandle<hyper::Result<()>>) {
    let (unused, _) = duplex(1);
    let io = TokioIo::new(std::mem::replace(&mut rig.client, unused));
    let (sender, connection) = http2::handshake(TokioExecutor::new(), io).await.unwrap();
    (sender, tokio::spawn(connection))
}

async fn get(sender: &mut SendRequest<Empty<Bytes>>) -> usize {
    let request = Request::get("http://h/").body(Empty::new()).unwrap();
    let response = sender.send_request(request).await.unwrap();
    response.collect().await.unwrap().to_bytes().len()
}

#[tokio::test(start_paused = true)]
async fn an_idle_http2_connection_gets_a_goaway() {
    let mut rig = rig(Config::default(), AT_ONCE);
    let (mut sender, connection) = http2(&mut rig).await;
    assert_eq!(get(&mut sender).await, 2);
    sleep(Duration::from_secs(70)).await;
    assert_eq!(get(&mut sender).await, 2);
    connection.await.unwrap().unwrap();
    rig.served.await.unwrap();
    let stats = rig.site.tally.stats();
    assert_eq!((stats.http2, stats.errors), (1, 0));
    assert_eq!(rig.start.elapsed().as_secs(), 145);
}

#[tokio::test(start_paused = true)]
async fn a_drain_lets_http2_requests_finish() {
    let slow = Answering { after: Duration::from_secs(200), size: 5 };
    let mut rig = rig(Config::default(), slow);
    let (mut sender, connection) = http2(&mut rig).await;
    let drain = rig.drain.clone();
    let (length, ()) = tokio::join!(get(&mut sender), async {
        sleep(Duration::from_secs(1)).await;
        drain.cancel();
    });
    assert_eq!(length, 5);
    connection.await.unwrap().unwrap();
    rig.served.await.unwrap();
    assert_eq!(rig.start.elapsed().as_secs(), 200);
}

#[tokio::test(start_paused = true)]
async fn an_http2_client_that_does_not_agree_to_the_end_is_left() {
    let mut rig = rig(Config::default(), AT_ONCE);
    let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00";
    rig.client.write_all(preface).await.unwrap();
    rig.drain.cancel();
    rig.served.await.unwrap();
    assert_eq!(rig.start.elapsed().as_secs(), 1);
    assert_eq!(rig.site.tally.stats().errors, 0);
}

/// Answers with a body that gives `chunks` of that many bytes and then waits for ever.
#[derive(Clone, Copy)]
struct Giving {
    chunks: usize,
    size: usize,
}

impl Service<Request<Body>> for Giving {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = std::future::Ready<Result<Response<Body>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<Body>) -> Self::Future {
        std::future::ready(Ok(Response::new(Body::new(*self))))
    }
}

impl http_body::Body for Giving {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: std::pin::Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if self.chunks == 0 {
            return Poll::Pending;
        }
        self.chunks -= 1;
        Poll::Ready(Some(Ok(Frame::data(vec![b'x'; self.size].into()))))
    }
}

/// Asks with a small window for what `giving` gives, and takes a frame every `pause` seconds;
/// says how many bytes came until the stream was reset, or until the first `most`.
async fn taken(giving: Giving, pause: u64, most: usize) -> (usize, u64) {
    let mut rig = rig(Config::default(), giving);
    let (unused, _) = duplex(1);
    let io = TokioIo::new(std::mem::replace(&mut rig.client, unused));
    let mut builder = http2::Builder::new(TokioExecutor::new());
    let windows = builder.timer(TokioTimer::new()).initial_stream_window_size(16 * 1024);
    let (mut sender, connection) = windows.handshake(io).await.unwrap();
    tokio::spawn(connection);
    let request = Request::get("http://h/").body(Empty::<Bytes>::new()).unwrap();
    let mut body = sender.send_request(request).await.unwrap().into_body();
    let mut length = 0;
    while length < most {
        sleep(Duration::from_secs(pause)).await;
        match body.frame().await.unwrap() {
            Ok(frame) => length += frame.into_data().unwrap().len(),
            Err(_) => break,
        }
    }
    (length, rig.site.tally.stats().errors)
}

#[tokio::test(start_paused = true)]
async fn an_http2_client_that_takes_little_gets_everything() {
    let large = Giving { chunks: 3, size: 128 * 1024 };
    assert_eq!(taken(large, 20, 3 * 128 * 1024).await, (3 * 128 * 1024, 0));
}

#[tokio::test(start_paused = true)]
async fn an_http2_client_that_takes_nothing_for_too_long_is_reset() {
    let (length, errors) = taken(Giving { chunks: 3, size: 128 * 1024 }, 100, usize::MAX).await;
    assert!(length <= 16 * 1024, "{length}");
    assert_eq!(errors, 1);
}

#[tokio::test(start_paused = true)]
async fn a_body_that_has_nothing_to_give_is_no_stall() {
    let quiet = Giving { chunks: 2, size: 10 };
    assert_eq!(taken(quiet, 1000, 20).await, (20, 0));
}
