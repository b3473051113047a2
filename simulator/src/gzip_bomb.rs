//! A gzip body that unpacks to far more than it weighs: one compressed megabyte of white space, repeated.

use std::io::{self, Write};

use bytes::Bytes;
use flate2::{Compression, Crc, write::DeflateEncoder};
use futures_util::{Stream, stream};

/// White space in one repetition.
const MEGABYTE: usize = 1 << 20;

/// The answer, followed by at least `padding` bytes of white space, as the parts of one valid gzip member.
pub(crate) fn parts(answer: &[u8], padding: u64) -> impl Stream<Item = Bytes> + Send + 'static {
    let spaces = vec![b' '; MEGABYTE];
    let repetitions = padding.div_ceil(1 << 20);
    // A member: ten bytes of header, deflate blocks, checksum and length (RFC 1952).
    let mut head = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];
    head.extend(blocks(answer).unwrap_or_default());
    let block = Bytes::from(blocks(&spaces).unwrap_or_default());
    let mut tail = Some(tail(answer, &spaces, repetitions));
    let repeated = (0..repetitions).map(move |_| block.clone());
    let last = std::iter::from_fn(move || tail.take());
    stream::iter(std::iter::once(Bytes::from(head)).chain(repeated).chain(last))
}

/// Deflate blocks that refer to nothing before them and end on a byte, so that they can be repeated.
fn blocks(data: &[u8]) -> io::Result<Vec<u8>> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(data)?;
    encoder.flush()?;
    Ok(encoder.get_ref().clone())
}

fn tail(answer: &[u8], spaces: &[u8], repetitions: u64) -> Bytes {
    let (mut whole, mut part) = (Crc::new(), Crc::new());
    whole.update(answer);
    part.update(spaces);
    for _ in 0..repetitions {
        whole.combine(&part);
    }
    // An empty last block, then checksum and length modulo 2^32.
    let mut tail = vec![3, 0];
    tail.extend(whole.sum().to_le_bytes());
    tail.extend(whole.amount().to_le_bytes());
    Bytes::from(tail)
}
