//! One pass over all records of a batch that is to be appended.
//!
//! It decides what validation costs beyond the checksum, so records of the usual shape are read in
//! a loop of their own: no headers, every integer in one or two bytes, numbered as they should be.
//! That loop takes a third of the time that any record takes. It never refuses a record, but leaves
//! each unusual one to [`RawRecord::read`].

use core::ops::Range;

use super::RecordError;
use super::iteration::RawRecord;
use crate::types::Timestamp;

/// The integers of two bytes are below this, and above its opposite.
const TWO_BYTES_BELOW: i32 = 1 << 13;
/// Base timestamps with which no sum of two bytes overflows or is -1, which means "none".
const USUAL_BASE_TIMESTAMPS: Range<i64> = TWO_BYTES_BELOW as i64..i64::MAX - TWO_BYTES_BELOW as i64;
/// At least the bytes of the integers in front of a key, in a usual record.
const WINDOW_BYTES: usize = 16;

/// How many records are read one by one after an unusual one: they tend to be alike.
const UNUSUAL_RUN: i32 = 16;

/// What a pass over the records brought.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Walk {
    /// The earliest timestamp other than -1; -1 where all are.
    pub(super) min_timestamp: i64,
    /// The latest timestamp, at least -1.
    pub(super) max_timestamp: i64,
    /// Whether there is a record without a key.
    pub(super) keyless: bool,
}

impl Walk {
    /// Before the first record.
    pub(super) const EMPTY: Self =
        Self { min_timestamp: i64::MAX, max_timestamp: Timestamp::NONE.get(), keyless: false };

    /// Behind the last one.
    pub(super) fn ended(mut self) -> Self {
        self.min_timestamp = self.min_timestamp.min(self.max_timestamp);
        self
    }

    pub(super) fn see(&mut self, timestamp: i64) {
        self.max_timestamp = self.max_timestamp.max(timestamp);
        if timestamp != Timestamp::NONE.get() {
            self.min_timestamp = self.min_timestamp.min(timestamp);
        }
    }
}

/// Reads every record: as many as the header says, numbered from 0 without a gap, to the last byte.
pub(super) fn walk(
    section: &[u8],
    record_count: i32,
    base_timestamp: Timestamp,
) -> Result<Walk, RecordError> {
    let mut walk = Walk::EMPTY;
    let base_timestamp = base_timestamp.get();
    let usual = USUAL_BASE_TIMESTAMPS.contains(&base_timestamp);
    let (mut at, mut index) = (0, 0);
    let mut usual_from = if usual { 0 } else { record_count };
    while index < record_count {
        if index >= usual_from {
            let mut run = UsualRun::new(at, index);
            run.pass(section, record_count);
            if run.index == index {
                usual_from = index + UNUSUAL_RUN;
            } else {
                walk.see(base_timestamp + i64::from(run.min_delta));
                walk.see(base_timestamp + i64::from(run.max_delta));
                walk.keyless |= run.keyless;
                (at, index) = (run.at, run.index);
                continue;
            }
        }
        let record = RawRecord::read(section, &mut at)?;
        if record.offset_delta != index {
            return Err(RecordError::OffsetDelta);
        }
        walk.see(base_timestamp.wrapping_add(record.timestamp_delta));
        walk.keyless |= record.key.is_none();
        index += 1;
    }
    if at != section.len() {
        return Err(RecordError::TrailingBytes);
    }
    Ok(walk.ended())
}

/// Usual records that follow each other.
struct UsualRun {
    /// Where the next record starts.
    at: usize,
    /// How many records stand before it.
    index: i32,
    /// The timestamps passed, relative to the batch's.
    min_delta: i32,
    max_delta: i32,
    keyless: bool,
}

impl UsualRun {
    fn new(at: usize, index: i32) -> Self {
        Self { at, index, min_delta: i32::MAX, max_delta: i32::MIN, keyless: false }
    }

    /// Passes records until one is unusual or there are `count`.
    fn pass(&mut self, section: &[u8], count: i32) {
        while self.index < count.min(1 << 6) {
            let offset_delta = (self.index << 1) as u8;
            if self.step(section, [offset_delta]).is_none() {
                return;
            }
        }
        while self.index < count.min(TWO_BYTES_BELOW) {
            let zigzag = self.index << 1;
            let offset_delta = [zigzag as u8 | 0x80, (zigzag >> 7) as u8];
            if self.step(section, offset_delta).is_none() {
                return;
            }
        }
    }

    /// Passes a record if it is usual and its offset delta is encoded in these bytes.
    #[inline(always)]
    fn step<const N: usize>(&mut self, section: &[u8], offset_delta: [u8; N]) -> Option<()> {
        let rest = section.get(self.at..)?;
        let window = rest.first_chunk::<WINDOW_BYTES>()?;
        let (length, body_at) = short(window, 0)?;
        let (timestamp_delta, offset_at) = short(window, body_at + 1)?;
        if window[offset_at..offset_at + N] != offset_delta {
            return None;
        }
        let (key_length, key_at) = short(window, offset_at + N)?;
        let record = rest.get(..body_at + (length >> 1) as usize)?;
        let value = record.get(key_at + (key_length >> 1) as usize..)?;
        let (value_length, content_at) = short(value.first_chunk::<2>()?, 0)?;
        let (header_count, content) = value.split_last()?;
        // Odd lengths are negative, and 1 is the -1 of a null key.
        if key_length & 1 != 0 {
            if key_length != 1 {
                return None;
            }
            self.keyless = true;
        }
        let usual = content_at + (value_length >> 1) as usize == content.len();
        if !usual || (value_length | length) & 1 != 0 || *header_count != 0 {
            return None;
        }
        let delta = (timestamp_delta >> 1) as i32 ^ -((timestamp_delta & 1) as i32);
        self.min_delta = self.min_delta.min(delta);
        self.max_delta = self.max_delta.max(delta);
        self.at += record.len();
        self.index += 1;
        Some(())
    }
}

/// The integer in one or two bytes at `at`, without its zigzag undone, and the place behind it.
#[inline(always)]
fn short<const N: usize>(bytes: &[u8; N], at: usize) -> Option<(u32, usize)> {
    let first = u32::from(bytes[at]);
    if first < 0x80 {
        return Some((first, at + 1));
    }
    let second = u32::from(bytes[at + 1]);
    if second < 0x80 { Some((first & 0x7f | second << 7, at + 2)) } else { None }
}
