//! What a connection has to send, in order: bytes of its own, ranges of memory, ranges of files.

use std::collections::VecDeque;

use crate::io::{FileHandle, MemoryRange};
use crate::metrics::Mark;

#[derive(Debug)]
enum Segment {
    /// The next bytes of the outbox's own buffer.
    Own(usize),
    Memory(MemoryRange),
    File {
        file: FileHandle,
        position: u64,
        len: u64,
    },
}

/// The next thing to send.
#[derive(Debug)]
pub enum Piece<'a> {
    /// These bytes.
    Bytes(&'a [u8]),
    /// This part of this file.
    File {
        /// The file.
        file: &'a FileHandle,
        /// The first byte.
        position: u64,
        /// How many.
        len: u64,
    },
}

/// Bytes that a connection was sent, by where they came from.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct SentBytes {
    /// Headers and small responses.
    pub own: u64,
    /// Straight from memory.
    pub memory: u64,
    /// Straight from files.
    pub file: u64,
}

/// The sending side of a connection.
#[derive(Debug, Default)]
pub struct Outbox {
    own: Vec<u8>,
    /// The first of `own` that is not sent.
    own_start: usize,
    segments: VecDeque<Segment>,
    bytes: u64,
    pinned_bytes: u64,
    sent: SentBytes,
    /// Bytes that were ever sent.
    sent_bytes: u64,
    /// Behind which byte, counted as [`Outbox::sent_bytes`], each response ends.
    marks: VecDeque<(u64, Mark)>,
}

impl Outbox {
    /// Bytes that wait to be sent.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.bytes == 0
    }

    /// Memory that is kept for what waits, beside what other owners hold anyway.
    pub fn pinned_bytes(&self) -> u64 {
        self.pinned_bytes
    }

    /// Appends bytes that `write` puts at the end of the buffer.
    pub fn write(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        let before = self.own.len();
        write(&mut self.own);
        let added = self.own.len() - before;
        if added == 0 {
            return;
        }
        self.bytes += added as u64;
        match self.segments.back_mut() {
            Some(Segment::Own(len)) => *len += added,
            _ => self.segments.push_back(Segment::Own(added)),
        }
    }

    /// Appends a range of memory.
    pub fn push_memory(&mut self, range: MemoryRange) {
        self.bytes += range.len() as u64;
        self.pinned_bytes += range.len() as u64;
        self.segments.push_back(Segment::Memory(range));
    }

    /// Appends a part of a file.
    pub fn push_file(&mut self, file: FileHandle, position: u64, len: u64) {
        self.bytes += len;
        self.segments.push_back(Segment::File { file, position, len });
    }

    /// Notes that what was appended last is the end of a response.
    pub fn mark(&mut self, mark: Mark) {
        self.marks.push_back((self.sent_bytes + self.bytes, mark));
    }

    /// The next response that has been sent to its end.
    pub fn take_sent_mark(&mut self) -> Option<Mark> {
        let sent = self.sent_bytes;
        self.marks.pop_front_if(|(end, _)| *end <= sent).map(|(_, mark)| mark)
    }

    /// What waits, in order.
    pub fn pieces(&self) -> impl Iterator<Item = Piece<'_>> {
        let mut at = self.own_start;
        self.segments.iter().map(move |segment| match segment {
            Segment::Own(len) => {
                at += len;
                Piece::Bytes(&self.own[at - len..at])
            }
            Segment::Memory(range) => Piece::Bytes(range),
            Segment::File { file, position, len } => {
                Piece::File { file, position: *position, len: *len }
            }
        })
    }

    /// Drops the first `bytes` of what waits: they are sent.
    ///
    /// # Panics
    /// When fewer wait.
    pub fn sent(&mut self, mut bytes: u64) {
        self.bytes -= bytes;
        self.sent_bytes += bytes;
        while bytes > 0 {
            let segment = self.segments.front_mut().expect("bytes are counted");
            let (part, done) = match segment {
                Segment::Own(len) => {
                    let part = bytes.min(*len as u64);
                    *len -= part as usize;
                    self.own_start += part as usize;
                    self.sent.own += part;
                    (part, *len == 0)
                }
                Segment::Memory(range) => {
                    let part = bytes.min(range.len() as u64);
                    self.sent.memory += part;
                    self.pinned_bytes -= part;
                    let done = part == range.len() as u64;
                    if !done {
                        *range = range.slice(part as usize..range.len());
                    }
                    (part, done)
                }
                Segment::File { position, len, .. } => {
                    let part = bytes.min(*len);
                    *position += part;
                    *len -= part;
                    self.sent.file += part;
                    (part, *len == 0)
                }
            };
            bytes -= part;
            if done {
                self.segments.pop_front();
            }
        }
        self.compact();
    }

    fn compact(&mut self) {
        if self.own_start == self.own.len() {
            self.own.clear();
            self.own_start = 0;
        } else if self.own_start > self.own.len() / 2 {
            self.own.drain(..self.own_start);
            self.own_start = 0;
        }
    }

    /// Takes the counts of what was sent since the last time.
    pub fn take_sent(&mut self) -> SentBytes {
        std::mem::take(&mut self.sent)
    }

    /// Gives memory back that a connection at rest does not need.
    pub fn rest(&mut self) {
        if self.own.is_empty() {
            self.own = Vec::new();
        }
        self.segments.shrink_to_fit();
        self.marks.shrink_to_fit();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn content(outbox: &Outbox) -> Vec<u8> {
        let mut bytes = Vec::new();
        for piece in outbox.pieces() {
            let Piece::Bytes(piece) = piece else { panic!("no files here") };
            bytes.extend_from_slice(piece);
        }
        bytes
    }

    #[test]
    fn whatever_is_sent_first_the_rest_follows() {
        for step in 1..12 {
            let mut outbox = Outbox::default();
            outbox.write(|own| own.extend_from_slice(b"head"));
            outbox.push_memory(MemoryRange::copy_of(b"memory"));
            outbox.write(|own| own.extend_from_slice(b"between"));
            outbox.write(|own| own.extend_from_slice(b"more"));
            outbox.push_memory(MemoryRange::copy_of(b"end"));
            let whole = b"headmemorybetweenmoreend";
            let mut at = 0;
            while !outbox.is_empty() {
                assert_eq!(content(&outbox), &whole[at..]);
                let part = step.min(whole.len() - at);
                outbox.sent(part as u64);
                at += part;
            }
            assert_eq!(outbox.pinned_bytes(), 0);
            assert_eq!(outbox.take_sent(), SentBytes { own: 15, memory: 9, file: 0 });
        }
    }
}
