//! The bytes of a snapshot.
//!
//! All numbers are little-endian. A head: eight bytes of name and version, when it was written
//! (milliseconds since 1970, eight bytes), and the CRC-32 of both. Then records: a length, the CRC-32
//! of the body, and the body; at the end a length of all ones and the number of records.

use std::io::{self, Read, Write};
use std::time::Duration;

use bytes::{Buf, BufMut, Bytes};

use super::error::SnapshotError;
use crate::clock::nanos;

/// The name and the version.
const NAME: &[u8; 8] = b"VCACHE\x00\x01";
/// The length that ends a snapshot.
const END: u32 = u32::MAX;
/// What a body has before its key: three times, flags, heat and the key's length.
const FIXED: usize = 3 * 8 + 1 + 1 + 4;
const PINNED: u8 = 1;
/// No end.
const NEVER: u64 = u64::MAX;

/// One entry. Times are nanoseconds from when the snapshot was written on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Record {
    pub(super) ttl: u64,
    pub(super) tti: u64,
    pub(super) idle: u64,
    pub(super) pinned: bool,
    pub(super) heat: u8,
    pub(super) key: Bytes,
    pub(super) value: Bytes,
}

impl Record {
    /// The same some time later, if its time is not over by then.
    pub(super) fn after(mut self, since: Duration) -> Option<Self> {
        for left in [&mut self.ttl, &mut self.idle] {
            if *left != NEVER {
                *left = left.checked_sub(nanos(since)).filter(|left| *left > 0)?;
            }
        }
        Some(self)
    }

    fn body(&self) -> Option<Vec<u8>> {
        let mut body = Vec::with_capacity(FIXED + self.key.len() + self.value.len());
        for time in [self.ttl, self.tti, self.idle] {
            body.put_u64_le(time);
        }
        body.put_u8(if self.pinned { PINNED } else { 0 });
        body.put_u8(self.heat);
        body.put_u32_le(u32::try_from(self.key.len()).ok()?);
        body.extend_from_slice(&self.key);
        body.extend_from_slice(&self.value);
        Some(body)
    }

    fn parse(mut body: Bytes) -> Option<Self> {
        if body.len() < FIXED {
            return None;
        }
        let (ttl, tti, idle) = (body.get_u64_le(), body.get_u64_le(), body.get_u64_le());
        let (flags, heat, len) = (body.get_u8(), body.get_u8(), body.get_u32_le() as usize);
        if flags & !PINNED != 0 || body.len() < len {
            return None;
        }
        let key = body.split_to(len);
        Some(Self { ttl, tti, idle, pinned: flags == PINNED, heat, key, value: body })
    }
}

pub(super) struct Writer<W> {
    to: W,
    records: u64,
}

impl<W: Write> Writer<W> {
    pub(super) fn begin(mut to: W, now: u64) -> io::Result<Self> {
        let mut head = NAME.to_vec();
        head.put_u64_le(now);
        let sum = crc32fast::hash(&head);
        head.put_u32_le(sum);
        to.write_all(&head)?;
        Ok(Self { to, records: 0 })
    }

    pub(super) fn write(&mut self, record: &Record) -> io::Result<()> {
        let too_large = || io::Error::new(io::ErrorKind::InvalidInput, "an entry of 4 GiB or more");
        let body = record.body().ok_or_else(too_large)?;
        let len = u32::try_from(body.len()).ok().filter(|len| *len != END);
        self.to.write_all(&len.ok_or_else(too_large)?.to_le_bytes())?;
        self.to.write_all(&crc32fast::hash(&body).to_le_bytes())?;
        self.to.write_all(&body)?;
        self.records += 1;
        Ok(())
    }

    /// How many records there are.
    pub(super) fn end(mut self) -> io::Result<u64> {
        self.to.write_all(&END.to_le_bytes())?;
        self.to.write_all(&self.records.to_le_bytes())?;
        self.to.flush()?;
        Ok(self.records)
    }
}

pub(super) struct Reader<R> {
    from: R,
    written: u64,
    records: u64,
    whole: bool,
}

impl<R: Read> Reader<R> {
    pub(super) fn begin(mut from: R) -> Result<Self, SnapshotError> {
        let head = take(&mut from, 20)?.ok_or(SnapshotError::Foreign)?;
        let (mut named, mut sum) = (head.slice(..16), head.slice(16..));
        if !named.starts_with(NAME) || crc32fast::hash(&named) != sum.get_u32_le() {
            return Err(SnapshotError::Foreign);
        }
        named.advance(NAME.len());
        Ok(Self { from, written: named.get_u64_le(), records: 0, whole: false })
    }

    /// When it was written, in milliseconds since 1970.
    pub(super) const fn written(&self) -> u64 {
        self.written
    }

    /// Whether it was read to its end.
    pub(super) const fn is_whole(&self) -> bool {
        self.whole
    }

    /// The next record; `None` at the end, or where bytes are damaged.
    pub(super) fn read(&mut self) -> io::Result<Option<Record>> {
        let Some(mut len) = take(&mut self.from, 4)? else {
            return Ok(None);
        };
        let len = len.get_u32_le();
        if len == END {
            let records = take(&mut self.from, 8)?;
            self.whole = records.is_some_and(|mut records| records.get_u64_le() == self.records);
            return Ok(None);
        }
        let Some(mut sum) = take(&mut self.from, 4)? else {
            return Ok(None);
        };
        let body = take(&mut self.from, len)?;
        let intact = body.filter(|body| crc32fast::hash(body) == sum.get_u32_le());
        self.records += 1;
        Ok(intact.and_then(Record::parse))
    }
}

/// So many bytes, if there are as many. Memory is taken as they come, whatever a length claims.
fn take(from: &mut impl Read, len: u32) -> io::Result<Option<Bytes>> {
    let mut bytes = Vec::new();
    from.take(len.into()).read_to_end(&mut bytes)?;
    Ok((bytes.len() == len as usize).then(|| bytes.into()))
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    fn records() -> impl Strategy<Value = Vec<Record>> {
        let bytes = || vec(any::<u8>(), 0..20).prop_map(Bytes::from);
        let record = (any::<[u64; 3]>(), any::<bool>(), 0_u8..16, bytes(), bytes());
        let record = record.prop_map(|([ttl, tti, idle], pinned, heat, key, value)| Record {
            ttl,
            tti,
            idle,
            pinned,
            heat,
            key,
            value,
        });
        vec(record, 0..8)
    }

    fn written(records: &[Record]) -> Vec<u8> {
        let mut file = Vec::new();
        let mut writer = Writer::begin(&mut file, 7).unwrap();
        records.iter().for_each(|record| writer.write(record).unwrap());
        assert_eq!(writer.end().unwrap(), records.len() as u64);
        file
    }

    /// What can be read, and whether all of it could.
    fn read(file: &[u8]) -> Option<(Vec<Record>, bool)> {
        let mut reader = Reader::begin(file).ok()?;
        let mut records = Vec::new();
        while let Some(record) = reader.read().unwrap() {
            records.push(record);
        }
        Some((records, reader.is_whole()))
    }

    proptest! {
        #[test]
        fn what_was_written_is_read(records in records()) {
            prop_assert_eq!(read(&written(&records)), Some((records, true)));
        }

        #[test]
        fn damage_is_noticed_and_what_stands_before_it_is_read(
            records in records(), at in any::<prop::sample::Index>(), bits in 1_u8.., cut: bool,
        ) {
            let mut file = written(&records);
            let at = at.index(file.len());
            if cut { file.truncate(at) } else { file[at] ^= bits }
            if let Some((found, whole)) = read(&file) {
                prop_assert!(!whole);
                prop_assert_eq!(&records[..found.len()], &found[..]);
            }
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in vec(any::<u8>(), 0..200), named: bool) {
            let mut file = if named { written(&[])[..20].to_vec() } else { Vec::new() };
            file.extend(bytes);
            let _ = read(&file);
        }
    }
}
