//! One pass over all records of a batch that is to be appended.

use super::iteration::RawRecord;
use super::{BatchHeader, RecordError};
use crate::types::Timestamp;

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

/// Reads every record: as many as the header says, numbered from 0 without a gap, to the last byte.
pub(super) fn walk(header: &BatchHeader, section: &[u8]) -> Result<Walk, RecordError> {
    let none = Timestamp::NONE.get();
    let base_timestamp = header.base_timestamp.get();
    let mut walk = Walk { min_timestamp: i64::MAX, max_timestamp: none, keyless: false };
    let mut at = 0;
    for offset_delta in 0..header.record_count {
        let record = RawRecord::read(section, &mut at)?;
        if record.offset_delta != offset_delta {
            return Err(RecordError::OffsetDelta);
        }
        let timestamp = base_timestamp.wrapping_add(record.timestamp_delta);
        walk.max_timestamp = walk.max_timestamp.max(timestamp);
        if timestamp != none {
            walk.min_timestamp = walk.min_timestamp.min(timestamp);
        }
        walk.keyless |= record.key.is_none();
    }
    if at != section.len() {
        return Err(RecordError::TrailingBytes);
    }
    walk.min_timestamp = walk.min_timestamp.min(walk.max_timestamp);
    Ok(walk)
}
