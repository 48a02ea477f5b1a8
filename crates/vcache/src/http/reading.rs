//! Numbers and texts as bytes: written one after the other, and read strictly.

use bytes::{Buf, Bytes};
use http::HeaderName;

/// Bytes that are being written.
#[derive(Debug)]
pub(crate) struct Writing(Vec<u8>);

impl Writing {
    pub(crate) fn with_capacity(bytes: usize) -> Self {
        Self(Vec::with_capacity(bytes))
    }

    pub(crate) fn into_bytes(self) -> Vec<u8> {
        self.0
    }

    pub(crate) fn all(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    pub(crate) fn u8(&mut self, number: u8) {
        self.0.push(number);
    }

    pub(crate) fn u16(&mut self, number: u16) {
        self.all(&number.to_be_bytes());
    }

    pub(crate) fn u32(&mut self, number: u32) {
        self.all(&number.to_be_bytes());
    }

    pub(crate) fn u64(&mut self, number: u64) {
        self.all(&number.to_be_bytes());
    }

    /// How many follow. More than fit make what is written unreadable, which counts as absent.
    pub(crate) fn count(&mut self, number: usize) {
        self.u16(u16::try_from(number).unwrap_or(u16::MAX));
    }

    /// At most 64 KiB.
    pub(crate) fn short(&mut self, bytes: &[u8]) {
        self.count(bytes.len());
        self.all(bytes);
    }

    /// At most 4 GiB.
    pub(crate) fn long(&mut self, bytes: &[u8]) {
        self.u32(u32::try_from(bytes.len()).unwrap_or(u32::MAX));
        self.all(bytes);
    }
}

/// Bytes that are being read; each step is `None` when there is less, or something else.
#[derive(Debug)]
pub(crate) struct Reading(Bytes);

impl Reading {
    pub(crate) const fn new(bytes: Bytes) -> Self {
        Self(bytes)
    }

    /// What is left.
    pub(crate) fn rest(&self) -> &[u8] {
        &self.0
    }

    /// All that is left.
    pub(crate) fn end(&mut self) -> Bytes {
        std::mem::take(&mut self.0)
    }

    pub(crate) fn u8(&mut self) -> Option<u8> {
        self.0.try_get_u8().ok()
    }

    pub(crate) fn u16(&mut self) -> Option<u16> {
        self.0.try_get_u16().ok()
    }

    pub(crate) fn u32(&mut self) -> Option<u32> {
        self.0.try_get_u32().ok()
    }

    pub(crate) fn u64(&mut self) -> Option<u64> {
        self.0.try_get_u64().ok()
    }

    pub(crate) fn short(&mut self) -> Option<Bytes> {
        let length = usize::from(self.u16()?);
        self.take(length)
    }

    pub(crate) fn long(&mut self) -> Option<Bytes> {
        let length = usize::try_from(self.u32()?).ok()?;
        self.take(length)
    }

    pub(crate) fn short_text(&mut self) -> Option<String> {
        text(&self.short()?)
    }

    pub(crate) fn long_text(&mut self) -> Option<String> {
        text(&self.long()?)
    }

    /// A field's name as it is stored: in lower case.
    pub(crate) fn name(&mut self) -> Option<HeaderName> {
        HeaderName::from_lowercase(&self.short()?).ok()
    }

    fn take(&mut self, length: usize) -> Option<Bytes> {
        (length <= self.0.len()).then(|| self.0.split_to(length))
    }
}

fn text(bytes: &[u8]) -> Option<String> {
    String::from_utf8(bytes.to_vec()).ok()
}
