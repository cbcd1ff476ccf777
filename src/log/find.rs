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
    /// In the segments before this one nothing qualifies.
    from: Offset,
    /// Where the walk began, and the timestamp it is for.
    walk: Option<(Cursor, Timestamp)>,
}

impl TimestampSearch {
    /// A search for `target`.
    pub fn new(target: TimestampTarget) -> Self {
        Self { target, layout: None, from: Offset::ZERO, walk: None }
    }

    /// Goes on as far as it can; `None` when no record qualifies.
    ///
    /// # Errors
    /// The bytes are not what they should be.
    pub fn step(&mut self, log: &Log) -> Result<Step<Option<FoundBatch>>, ReadError> {
        if self.layout.replace(log.layout) != Some(log.layout) {
            (self.walk, self.from) = (None, Offset::ZERO);
        }
        loop {
            if let Step::Load(load) = self.begin_walk(log) {
                return Ok(Step::Load(load));
            }
            let Some((cursor, timestamp)) = &mut self.walk else { return Ok(Step::Done(None)) };
            let base = cursor.place.segment_base_offset;
            let size = log.segment_size(base).unwrap_or(Position::ZERO);
            if cursor.place.position >= size {
                // What qualifies in this segment is deleted.
                let next = log.segment_after(base);
                let next = next.filter(|_| self.target != TimestampTarget::Largest);
                let Some(next) = next else { return Ok(Step::Done(None)) };
                (self.walk, self.from) = (None, next);
                continue;
            }
            let timestamp = *timestamp;
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

    /// Finds where to walk, unless that is known; there is no walk where no segment qualifies.
    fn begin_walk(&mut self, log: &Log) -> Step<()> {
        if self.walk.is_none() {
            let candidate = match self.candidate(log) {
                Step::Done(candidate) => candidate,
                Step::Load(load) => return Step::Load(load),
            };
            let Some((base, offset, timestamp)) = candidate else { return Step::Done(()) };
            let Some(index) = log.offset_index(base) else {
                return Step::Load(Load::Offsets(base));
            };
            let position = index.floor(base, offset);
            let place = Place { segment_base_offset: base, position };
            self.walk = Some((Cursor::at(place), timestamp));
        }
        Step::Done(())
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
        let mut bases = log.segment_bases().peekable();
        while let Some(base) = bases.next() {
            let deleted = bases.peek().is_some_and(|next| *next <= log.start_offset());
            if base < self.from || deleted {
                continue;
            }
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

#[cfg(test)]
mod tests {
    use core::time::Duration;

    use super::*;
    use crate::io::FileName;
    use crate::log::{Chunks, LogSettings};
    use crate::record::{BatchBuilder, BatchOptions, HEADER_BYTES, NewRecord};
    use crate::types::Instant;

    /// A log with a record of each timestamp, two in a segment.
    fn log(timestamps: &[i64]) -> Log {
        let mut chunks = Chunks::new(1 << 20);
        let mut log = Log::new(&FileName::new("/data"), "a-0", Vec::new());
        for (offset, timestamp) in (0..).zip(timestamps) {
            let options = BatchOptions { base_offset: Offset::new(offset), ..Default::default() };
            let mut builder = BatchBuilder::new(options);
            let timestamp = Timestamp::new(*timestamp);
            let record = NewRecord { timestamp, key: None, value: Some(b"v"), headers: &[] };
            builder.append(&record).unwrap();
            let mut bytes = Vec::new();
            builder.finish(&mut bytes).unwrap();
            let settings = LogSettings {
                segment_bytes: 2 * bytes.len() as u64,
                segment_age_max: Duration::MAX,
                index_interval_bytes: 4096,
                index_bytes_max: 1 << 20,
            };
            let header = BatchHeader::decode(&bytes).unwrap();
            let place = log.place_for(&header, &settings);
            let parts = bytes.split_at(HEADER_BYTES);
            log.append(place, &header, parts, &settings, || None, &mut chunks, Instant::new(0));
        }
        log
    }

    fn find(log: &Log, target: TimestampTarget) -> Option<i64> {
        match TimestampSearch::new(target).step(log).unwrap() {
            Step::Done(found) => found.map(|found| found.header.base_offset.get()),
            Step::Load(load) => panic!("{load:?}"),
        }
    }

    #[test]
    fn what_is_deleted_does_not_hide_what_follows_in_later_segments() {
        let mut log = log(&[700, 100, 900, 200, 800, 300]);
        let at = |timestamp| TimestampTarget::AtOrAfter(Timestamp::new(timestamp));
        assert_eq!(
            [0, 500, 800, 901].map(|it| find(&log, at(it))),
            [Some(0), Some(0), Some(2), None]
        );
        log.advance_start(Offset::new(1));
        assert_eq!([0, 500, 800].map(|it| find(&log, at(it))), [Some(1), Some(2), Some(2)]);
        log.advance_start(Offset::new(3));
        assert_eq!([0, 500, 801].map(|it| find(&log, at(it))), [Some(3), Some(4), None]);
        log.advance_start(Offset::new(4));
        assert_eq!(find(&log, TimestampTarget::Largest), Some(4));
    }
}
