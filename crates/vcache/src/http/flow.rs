//! A body on its way: chunks that any number of readers take while they are still arriving.

use std::collections::VecDeque;
use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Body as HttpBody, Frame, SizeHint};
use tokio::time::timeout;
use vhttp::BodyError;

use crate::http::audience::Seat;
use crate::http::background::Background;

/// What has come of a body so far, and who reads it.
///
/// Everything is kept until the end, so that whoever comes late reads from the beginning. Past a
/// limit that is over ([`Flow::narrow`]): then only what a reader still lacks is kept, and the
/// source waits while that is too much.
#[derive(Debug, Default)]
pub(crate) struct Flow {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    chunks: VecDeque<Chunk>,
    /// Bytes that have come.
    length: u64,
    end: Option<Ending>,
    places: Vec<Option<Place>>,
    /// Bytes to hold for slow readers, once nothing is kept for latecomers.
    window: Option<u64>,
    source: Option<Waker>,
}

struct Chunk {
    start: u64,
    data: Bytes,
}

enum Ending {
    Whole(Option<HeaderMap>),
    Broken(Arc<BodyError>),
}

/// Where a reader is.
#[derive(Default)]
struct Place {
    at: u64,
    waker: Option<Waker>,
    /// Nothing comes after this.
    is_done: bool,
    /// It held up the others for too long.
    is_cut: bool,
}

type Polled = Poll<Option<Result<Frame<Bytes>, BodyError>>>;

impl Flow {
    /// Appends what has come.
    pub(crate) fn push(&self, data: Bytes) {
        self.change(|state| {
            let start = state.length;
            state.length = start.saturating_add(as_u64(data.len()));
            state.chunks.push_back(Chunk { start, data });
            state.trim();
        });
    }

    /// The body has ended as it should; `whole` is all of it in one piece, if it is at hand.
    pub(crate) fn end(&self, whole: Option<Bytes>, trailers: Option<HeaderMap>) {
        self.change(|state| {
            if let Some(data) = whole.filter(|_| state.window.is_none()) {
                state.chunks.clear();
                state.chunks.push_back(Chunk { start: 0, data });
            }
            state.end = Some(Ending::Whole(trailers));
        });
    }

    /// The body has broken off.
    pub(crate) fn fail(&self, error: BodyError) {
        self.change(|state| state.end = Some(Ending::Broken(Arc::new(error))));
    }

    /// Nothing comes any more: broken off, unless it has ended.
    pub(crate) fn abandon(&self) {
        self.change(|state| {
            let error = || BodyError::new("the fetch was given up");
            state.end.get_or_insert_with(|| Ending::Broken(Arc::new(error())));
        });
    }

    /// How much has come.
    pub(crate) fn length(&self) -> u64 {
        self.lock().length
    }

    /// Keeps no more than `window` bytes from here on, and those only for the readers that there
    /// are.
    pub(crate) fn narrow(&self, window: u64) {
        self.change(|state| {
            state.window = Some(window);
            state.trim();
        });
    }

    /// Waits until the readers have made room; false when there is no reader any more. One that
    /// holds up others for longer than `patience` is cut off.
    ///
    /// Cancel safe: nothing is lost when it is dropped.
    pub(crate) async fn room(&self, patience: Duration) -> bool {
        loop {
            match timeout(patience, poll_fn(|cx| self.lock().poll_room(cx))).await {
                Ok(has_readers) => return has_readers,
                Err(_) => self.change(State::cut_slowest),
            }
        }
    }

    /// All that has come, in one piece; a copy, so that no connection's buffer is kept.
    pub(crate) fn copy(&self) -> Bytes {
        let state = self.lock();
        let mut all = Vec::with_capacity(usize::try_from(state.length).unwrap_or(0));
        for chunk in &state.chunks {
            all.extend_from_slice(&chunk.data);
        }
        all.into()
    }

    /// A reader from the beginning on; `None` when that is not kept any more.
    pub(crate) fn read(self: &Arc<Self>, expected: Option<u64>, ties: Ties) -> Option<Reader> {
        let mut state = self.lock();
        if state.window.is_some() {
            return None;
        }
        let place = Some(Place::default());
        let free = state.places.iter().position(Option::is_none);
        let number = free.unwrap_or(state.places.len());
        match state.places.get_mut(number) {
            Some(slot) => *slot = place,
            None => state.places.push(place),
        }
        Some(Reader { flow: Arc::clone(self), number, expected, taken: 0, _ties: ties })
    }

    /// Changes the state, and wakes the readers afterwards.
    fn change(&self, change: impl FnOnce(&mut State)) {
        let mut state = self.lock();
        change(&mut state);
        let places = state.places.iter_mut().flatten();
        let wakers: Vec<Waker> = places.filter_map(|place| place.waker.take()).collect();
        drop(state);
        wakers.into_iter().for_each(Waker::wake);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing in here panics half way.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn poll_next(&mut self, number: usize, cx: &Context<'_>) -> Polled {
        let Some(place) = self.places.get_mut(number).and_then(Option::as_mut) else {
            return Poll::Ready(None);
        };
        if place.is_done {
            return Poll::Ready(None);
        }
        if place.is_cut {
            place.is_done = true;
            return Poll::Ready(Some(Err(BodyError::new("read too slowly, and others waited"))));
        }
        if place.at < self.length {
            let after = self.chunks.partition_point(|chunk| chunk.start <= place.at);
            let chunk = self.chunks.get(after.saturating_sub(1));
            let data = chunk.and_then(|chunk| {
                let from = usize::try_from(place.at.saturating_sub(chunk.start)).ok()?;
                (from < chunk.data.len()).then(|| chunk.data.slice(from..))
            });
            let Some(data) = data else {
                // What it lacks is gone; that it is kept is `trim`'s promise.
                place.is_done = true;
                return Poll::Ready(Some(Err(BodyError::new("a part of the body is gone"))));
            };
            place.at = place.at.saturating_add(as_u64(data.len()));
            self.trim();
            return Poll::Ready(Some(Ok(Frame::data(data))));
        }
        match &self.end {
            None => {
                place.waker = Some(cx.waker().clone());
                Poll::Pending
            }
            Some(ending) => {
                place.is_done = true;
                Poll::Ready(match ending {
                    Ending::Whole(trailers) => trailers.clone().map(|t| Ok(Frame::trailers(t))),
                    Ending::Broken(error) => Some(Err(BodyError::new(Arc::clone(error)))),
                })
            }
        }
    }

    fn poll_room(&mut self, cx: &Context<'_>) -> Poll<bool> {
        if self.readers().next().is_none() {
            return Poll::Ready(false);
        }
        let kept = self.chunks.front().map_or(0, |chunk| self.length.saturating_sub(chunk.start));
        if self.window.is_none_or(|window| kept < window) {
            return Poll::Ready(true);
        }
        self.source = Some(cx.waker().clone());
        Poll::Pending
    }

    /// Those who still take something.
    fn readers(&mut self) -> impl Iterator<Item = &mut Place> {
        self.places.iter_mut().flatten().filter(|place| !place.is_cut)
    }

    /// Drops what every reader has, once nothing is kept for latecomers.
    fn trim(&mut self) {
        if self.window.is_none() {
            return;
        }
        let length = self.length;
        let least = self.readers().map(|place| place.at).min().unwrap_or(length);
        let is_read = |chunk: &Chunk| chunk.start.saturating_add(as_u64(chunk.data.len())) <= least;
        while self.chunks.front().is_some_and(is_read) {
            self.chunks.pop_front();
        }
        if let Some(source) = self.source.take() {
            source.wake();
        }
    }

    /// Cuts off those who hold up others.
    fn cut_slowest(&mut self) {
        let places = || self.places.iter().flatten().filter(|place| !place.is_cut);
        let least = places().map(|place| place.at).min();
        if places().any(|place| Some(place.at) > least) {
            for place in self.readers().filter(|place| Some(place.at) == least) {
                place.is_cut = true;
            }
            self.trim();
        }
    }
}

impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("State")
            .field("length", &self.length)
            .field("ended", &self.end.is_some())
            .field("readers", &self.places.iter().flatten().count())
            .finish_non_exhaustive()
    }
}

/// What a reader keeps alive: its seat in the audience, and the owner of the fetch.
#[derive(Debug)]
pub(crate) struct Ties {
    _seat: Seat,
    _owner: Option<Arc<Background>>,
}

impl Ties {
    pub(crate) const fn new(seat: Seat, owner: Option<Arc<Background>>) -> Self {
        Self { _seat: seat, _owner: owner }
    }
}

/// The body of one who reads a [`Flow`].
#[derive(Debug)]
pub(crate) struct Reader {
    flow: Arc<Flow>,
    number: usize,
    expected: Option<u64>,
    taken: u64,
    _ties: Ties,
}

impl HttpBody for Reader {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Polled {
        let this = self.get_mut();
        let polled = this.flow.lock().poll_next(this.number, cx);
        if let Poll::Ready(Some(Ok(frame))) = &polled
            && let Some(data) = frame.data_ref()
        {
            this.taken = this.taken.saturating_add(as_u64(data.len()));
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        let state = self.flow.lock();
        let place = state.places.get(self.number).and_then(Option::as_ref);
        let is_whole = matches!(state.end, Some(Ending::Whole(None)));
        place.is_none_or(|place| place.is_done || (is_whole && place.at == state.length))
    }

    fn size_hint(&self) -> SizeHint {
        let left = self.expected.and_then(|expected| expected.checked_sub(self.taken));
        left.map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        let mut state = self.flow.lock();
        if let Some(place) = state.places.get_mut(self.number) {
            *place = None;
        }
        state.trim();
    }
}

pub(crate) fn as_u64(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
