//! Finding a batch by timestamp.

use super::read::{Cursor, Load, ReadError, Step, done};
use super::segment::SealedSegment;
use super::tail::Ranges;
use super::{Log, Place};
use crate::io::MemoryRange;
use crate::record::BatchHeader;
use crate::types::{Offset, Position, Timestamp};

/// Which timestamp is wanted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TimestampTarget {
    /// The first record with this timestamp or a later one.
    AtOrAfter(Timestamp),
    /// The first record with the largest timestamp of all.
    Largest,
}

/// The batch in which the record stands.
#[derive(Clone, Debug)]
pub struct FoundBatch {
    /// Its header.
    pub header: BatchHeader,
    /// All of its bytes.
    pub bytes: Ranges,
    /// The first record with this timestamp or a later one is the one wanted.
    pub timestamp: Timestamp,
    /// Records before this offset are deleted.
    pub log_start: Offset,
}

/// A search that has begun.
#[derive(Debug)]
pub struct TimestampSearch {
    target: TimestampTarget,
    /// The segments' files as they were when it began: it begins again when they change.
    layout: Option<u64>,
    /// Where the walk began, and the timestamp it is for.
    walk: Option<(Cursor, Timestamp)>,
}

impl TimestampSearch {
    /// A search for `target`.
    pub fn new(target: TimestampTarget) -> Self {
        Self { target, layout: None, walk: None }
    }

    /// Goes on as far as it can; `None` when no record qualifies.
    ///
    /// # Errors
    /// The bytes are not what they should be.
    pub fn step(&mut self, log: &Log) -> Result<Step<Option<FoundBatch>>, ReadError> {
        if self.layout.replace(log.layout) != Some(log.layout) {
            self.walk = None;
        }
        if self.walk.is_none() {
            let Some((base, offset, timestamp)) = done!(self.candidate(log)) else {
                return Ok(Step::Done(None));
            };
            let Some(index) = log.offset_index(base) else {
                return Ok(Step::Load(Load::Offsets(base)));
            };
            let position = index.floor(base, offset);
            let place = Place { segment_base_offset: base, position };
            self.walk = Some((Cursor::at(place), timestamp));
        }
        let (cursor, timestamp) = self.walk.as_mut().expect("just made");
        let timestamp = *timestamp;
        loop {
            let base = cursor.place.segment_base_offset;
            let size = log.segment_size(base).unwrap_or(Position::ZERO);
            if cursor.place.position >= size {
                return Ok(Step::Done(None));
            }
            let header = done!(cursor.header(log)?);
            if header.max_timestamp >= timestamp && header.next_offset() > log.start_offset() {
                let bytes = done!(cursor.bytes(log, header.total_bytes() as u64)?);
                let log_start = log.start_offset();
                let found = FoundBatch { header, bytes, timestamp, log_start };
                return Ok(Step::Done(Some(found)));
            }
            cursor.advance(header.total_bytes());
        }
    }

    /// Takes what a [`Load::Bytes`] brought.
    pub fn loaded(&mut self, load: Load, bytes: MemoryRange) {
        if let Some((cursor, _)) = &mut self.walk {
            cursor.loaded(load, bytes);
        }
    }

    /// The segment to walk, from which offset, and for which timestamp.
    fn candidate(&self, log: &Log) -> Step<Option<(Offset, Offset, Timestamp)>> {
        let mut best: Option<(Offset, Offset, Timestamp)> = None;
        for base in log.segment_bases() {
            let largest = match log.largest_of(base) {
                Step::Done(largest) => largest,
                Step::Load(load) => return Step::Load(load),
            };
            let Some((largest, offset)) = largest else { continue };
            match self.target {
                TimestampTarget::AtOrAfter(wanted) if largest >= wanted => {
                    return match log.time_floor(base, wanted) {
                        Step::Done(offset) => Step::Done(Some((base, offset, wanted))),
                        Step::Load(load) => Step::Load(load),
                    };
                }
                TimestampTarget::Largest if best.is_none_or(|(_, _, best)| largest > best) => {
                    best = Some((base, offset, largest));
                }
                _ => {}
            }
        }
        Step::Done(best)
    }
}

impl Log {
    /// The largest timestamp of a segment and an offset in its batch.
    fn largest_of(&self, base: Offset) -> Step<Option<(Timestamp, Offset)>> {
        if let Some(active) = self.active.as_ref().filter(|active| active.base() == base) {
            return Step::Done(active.largest());
        }
        if let Some(sealing) = self.sealing.iter().find(|sealing| sealing.base() == base) {
            return Step::Done(sealing.times.last(base));
        }
        match self.sealed_segment(base) {
            Some(SealedSegment { largest: Some(largest), .. }) => Step::Done(*largest),
            Some(_) => Step::Load(Load::Times(base)),
            None => Step::Done(None),
        }
    }

    fn time_floor(&self, base: Offset, timestamp: Timestamp) -> Step<Offset> {
        if let Some(active) = self.active.as_ref().filter(|active| active.base() == base) {
            return Step::Done(active.times.floor(base, timestamp));
        }
        if let Some(sealing) = self.sealing.iter().find(|sealing| sealing.base() == base) {
            return Step::Done(sealing.times.floor(base, timestamp));
        }
        match self.sealed_segment(base).and_then(|segment| segment.times.as_ref()) {
            Some(times) => Step::Done(times.floor(base, timestamp)),
            None => Step::Load(Load::Times(base)),
        }
    }
}
