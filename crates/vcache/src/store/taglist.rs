//! A list of tags as bytes: their number in 2 bytes, then each one's length in 2 and its bytes.

use bytes::{Buf, Bytes};

/// More tags, or longer ones, than there is room for.
#[derive(Debug, thiserror::Error)]
#[error("an entry has more than 65,535 tags, or one of more than 65,535 bytes")]
pub(super) struct TooManyTags;

/// Adds `tags` to `bytes`.
pub(super) fn write(bytes: &mut Vec<u8>, tags: &[&str]) -> Result<(), TooManyTags> {
    bytes.extend_from_slice(&short(tags.len())?);
    for tag in tags {
        bytes.extend_from_slice(&short(tag.len())?);
        bytes.extend_from_slice(tag.as_bytes());
    }
    Ok(())
}

fn short(number: usize) -> Result<[u8; 2], TooManyTags> {
    u16::try_from(number).map(u16::to_be_bytes).map_err(|_| TooManyTags)
}

/// Takes the tags from the beginning of `bytes`; `None` if they are not such a list.
pub(super) fn take(bytes: &mut Bytes) -> Option<Vec<Box<str>>> {
    let number = bytes.try_get_u16().ok()?;
    let tag = |_| {
        let length = usize::from(bytes.try_get_u16().ok()?);
        let tag = std::str::from_utf8(bytes.get(..length)?).ok()?.into();
        bytes.advance(length);
        Some(tag)
    };
    (0..number).map(tag).collect()
}
