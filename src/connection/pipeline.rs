//! Responses leave in the order of their requests, whatever order they are ready in.

use std::collections::VecDeque;

use smallvec::SmallVec;

use super::outbox::Outbox;
use crate::io::{FileHandle, MemoryRange};
use crate::metrics::Mark;

/// A request's place in the order of its connection.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Turn(u64);

/// A part of a response that lies elsewhere.
#[derive(Clone, Debug)]
pub enum Inserted {
    /// Memory.
    Memory(MemoryRange),
    /// A part of a file.
    File {
        /// The file.
        file: FileHandle,
        /// The first byte.
        position: u64,
        /// How many.
        len: u64,
    },
}

/// The parts of a response that lie elsewhere, each with the number of bytes in front of it,
/// ascending.
pub type InsertedParts = SmallVec<[(usize, Inserted); 4]>;

/// A response: bytes, and parts that go in between at certain places.
#[derive(Clone, Debug)]
pub struct Response {
    /// Whose it is.
    pub mark: Mark,
    /// The bytes, the frame's length in front.
    pub bytes: Vec<u8>,
    /// What goes in between.
    pub inserted: InsertedParts,
}

impl Response {
    /// What it comes to, with its parts.
    fn len(&self) -> u64 {
        let part = |(_, part): &(usize, Inserted)| match part {
            Inserted::Memory(range) => range.len() as u64,
            Inserted::File { len, .. } => *len,
        };
        self.bytes.len() as u64 + self.inserted.iter().map(part).sum::<u64>()
    }

    fn send(self, outbox: &mut Outbox) {
        write_out(self.mark, &self.bytes, self.inserted, outbox);
    }
}

/// Puts a response that is next into the outbox, without keeping it in between.
pub fn write_out(mark: Mark, bytes: &[u8], inserted: InsertedParts, outbox: &mut Outbox) {
    let mut at = 0;
    for (place, part) in inserted {
        outbox.write(|own| own.extend_from_slice(&bytes[at..place]));
        at = place;
        match part {
            Inserted::Memory(range) => outbox.push_memory(range),
            Inserted::File { file, position, len } => outbox.push_file(file, position, len),
        }
    }
    outbox.write(|own| own.extend_from_slice(&bytes[at..]));
    outbox.mark(mark);
}

#[derive(Debug)]
enum Slot {
    Waiting,
    Ready(Box<Response>),
    /// The request gets no response.
    Silent,
}

/// The requests of a connection that have not been answered.
#[derive(Debug, Default)]
pub struct Pipeline {
    slots: VecDeque<Slot>,
    first: u64,
    bytes: u64,
}

impl Pipeline {
    /// Requests that have not been answered.
    pub fn len(&self) -> usize {
        self.slots.len()
    }

    /// Bytes of responses that wait for those before them.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Whether all have been answered.
    pub fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    /// The next request's place.
    pub fn begin(&mut self) -> Turn {
        self.slots.push_back(Slot::Waiting);
        Turn(self.first + self.slots.len() as u64 - 1)
    }

    /// Whether the request at `turn` is the next to be answered.
    pub fn is_next(&self, turn: Turn) -> bool {
        turn.0 == self.first
    }

    /// Notes that the next request has been answered straight into the outbox.
    ///
    /// # Panics
    /// When `turn` is not the next.
    pub fn answered(&mut self, turn: Turn, outbox: &mut Outbox) {
        assert!(self.is_next(turn));
        self.advance();
        self.flush(outbox);
    }

    /// Answers the request at `turn`, now or when its turn comes; `None` is no answer at all.
    pub fn respond(&mut self, turn: Turn, response: Option<Response>, outbox: &mut Outbox) {
        let index = usize::try_from(turn.0 - self.first).expect("answered once");
        self.bytes += response.as_ref().map_or(0, Response::len);
        self.slots[index] =
            response.map_or(Slot::Silent, |response| Slot::Ready(Box::new(response)));
        self.flush(outbox);
    }

    fn advance(&mut self) {
        self.slots.pop_front();
        self.first += 1;
    }

    fn flush(&mut self, outbox: &mut Outbox) {
        while let Some(slot) = self.slots.pop_front_if(|slot| !matches!(slot, Slot::Waiting)) {
            self.first += 1;
            if let Slot::Ready(response) = slot {
                self.bytes -= response.len();
                response.send(outbox);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::outbox::Piece;
    use super::*;
    use crate::types::Instant;

    const MARK: Mark = Mark { api: 1, ready: Instant::new(7) };

    fn response(text: &str) -> Option<Response> {
        let bytes = text.as_bytes().to_vec();
        Some(Response { mark: MARK, bytes, inserted: SmallVec::new() })
    }

    #[test]
    fn a_response_waits_for_those_before_it() {
        let (mut pipeline, mut outbox) = (Pipeline::default(), Outbox::default());
        let turns: Vec<Turn> = (0..4).map(|_| pipeline.begin()).collect();
        pipeline.respond(turns[2], response("c"), &mut outbox);
        pipeline.respond(turns[1], None, &mut outbox);
        assert!(outbox.is_empty() && pipeline.is_next(turns[0]));
        assert_eq!(pipeline.bytes(), 1);
        let memory = Inserted::Memory(MemoryRange::copy_of(b"xy"));
        let inserted = smallvec::smallvec![(1, memory)];
        let first = Response { mark: MARK, bytes: b"ab".to_vec(), inserted };
        pipeline.respond(turns[0], Some(first), &mut outbox);
        pipeline.answered(turns[3], &mut outbox);
        assert!(pipeline.is_empty() && pipeline.bytes() == 0);
        let sent: Vec<u8> = outbox
            .pieces()
            .flat_map(|piece| match piece {
                Piece::Bytes(bytes) => bytes.to_vec(),
                Piece::File { .. } => unreachable!(),
            })
            .collect();
        assert_eq!(sent, b"axybc");
        outbox.sent(3);
        assert_eq!(outbox.take_sent_mark(), None, "half a response");
        outbox.sent(1);
        assert_eq!((outbox.take_sent_mark(), outbox.take_sent_mark()), (Some(MARK), None));
        outbox.sent(1);
        assert_eq!((outbox.take_sent_mark(), outbox.take_sent_mark()), (Some(MARK), None));
    }
}
