//! From tasks to a thread: a queue bounded by bytes, in which tasks wait and not the thread.

use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The room in a queue is counted in units of so many bytes; each item takes one at least.
const UNIT: u64 = 256;

/// The thread has gone, or was told to.
#[derive(Debug)]
pub(crate) struct Closed;

/// The tasks' end.
pub(crate) struct Queue<T> {
    sender: Sender<Item<T>>,
    room: Arc<Semaphore>,
    most: u32,
}

/// The thread's end.
pub(crate) struct Items<T> {
    receiver: Receiver<Item<T>>,
    room: Arc<Semaphore>,
}

/// Room in the queue, given back when dropped.
pub(crate) struct Room {
    _permit: Option<OwnedSemaphorePermit>,
    bytes: u64,
}

/// What a task sent.
pub(crate) enum Item<T> {
    /// Something to do, and the room that it takes until it is done.
    Work(T, Room),
    /// Finish: nobody will be heard after this.
    Close,
}

/// A queue for `bytes` bytes.
pub(crate) fn bounded<T>(bytes: u64) -> (Queue<T>, Items<T>) {
    let most = u32::try_from(bytes / UNIT).unwrap_or(u32::MAX).clamp(1, 1 << 28);
    // The limit of a semaphore is far above, on machines of any size.
    let permits = usize::try_from(most).unwrap_or(1 << 28);
    let room = Arc::new(Semaphore::new(permits));
    let (sender, receiver) = mpsc::channel();
    (Queue { sender, room: Arc::clone(&room), most }, Items { receiver, room })
}

impl<T> Queue<T> {
    /// Waits for room for `bytes`; what is larger than the queue takes all of it.
    pub(crate) async fn room(&self, bytes: u64) -> Result<Room, Closed> {
        let units = u32::try_from(bytes / UNIT).unwrap_or(u32::MAX).saturating_add(1);
        let units = units.min(self.most);
        let permit = Arc::clone(&self.room).acquire_many_owned(units).await;
        Ok(Room { _permit: Some(permit.map_err(|_| Closed)?), bytes })
    }

    /// Sends without waiting, in the order of the calls.
    pub(crate) fn send(&self, item: T, room: Room) -> Result<(), Closed> {
        self.sender.send(Item::Work(item, room)).map_err(|_| Closed)
    }

    /// Sends past the bound; for what is rare and small.
    pub(crate) fn send_small(&self, item: T) -> Result<(), Closed> {
        self.send(item, Room { _permit: None, bytes: 0 })
    }

    /// Lets nobody in any longer; the thread ends when it has done what is queued.
    pub(crate) fn close(&self) {
        self.room.close();
        // A thread that has gone needs not be told.
        let _ = self.sender.send(Item::Close);
    }
}

impl<T> Items<T> {
    /// The next item, waiting for it no longer than `patience`; `None` stands for ever.
    pub(crate) fn wait(&self, patience: Option<Duration>) -> Result<Item<T>, RecvTimeoutError> {
        match patience {
            Some(patience) => self.receiver.recv_timeout(patience),
            None => self.receiver.recv().map_err(|_| RecvTimeoutError::Disconnected),
        }
    }

    /// The next item, if there is one.
    pub(crate) fn next(&self) -> Option<Item<T>> {
        self.receiver.try_recv().ok()
    }
}

impl<T> Drop for Items<T> {
    fn drop(&mut self) {
        // Whoever waits for room would wait for ever.
        self.room.close();
    }
}

impl Room {
    /// The bytes it is for.
    pub(crate) const fn bytes(&self) -> u64 {
        self.bytes
    }
}
