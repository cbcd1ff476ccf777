//! The names of a segment's files, and what is known of a segment that is complete.

use std::sync::Arc;

use super::offset_index::OffsetIndex;
use super::time_index::TimeIndex;
use crate::io::{FileHandle, FileName};
use crate::types::{Offset, Position, Timestamp};

/// The files of a segment, named as Kafka names them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FileKind {
    /// The record batches.
    Log,
    /// The offset index.
    OffsetIndex,
    /// The time index.
    TimeIndex,
    /// The aborted transactions.
    TransactionIndex,
    /// The producers at the segment's start.
    ProducerSnapshot,
}

impl FileKind {
    /// All kinds.
    pub const ALL: [Self; 5] = [
        Self::Log,
        Self::OffsetIndex,
        Self::TimeIndex,
        Self::TransactionIndex,
        Self::ProducerSnapshot,
    ];

    fn suffix(self) -> &'static str {
        match self {
            Self::Log => "log",
            Self::OffsetIndex => "index",
            Self::TimeIndex => "timeindex",
            Self::TransactionIndex => "txnindex",
            Self::ProducerSnapshot => "snapshot",
        }
    }
}

/// Files that go with a log file, and that compaction writes again with it.
pub(super) const INDEXES: [FileKind; 2] = [FileKind::OffsetIndex, FileKind::TimeIndex];

/// Kafka's suffix of files that compaction writes.
pub(super) const CLEANED_SUFFIX: &str = ".cleaned";
/// Kafka's suffix of files that are about to take the place of others.
pub(super) const SWAP_SUFFIX: &str = ".swap";
/// Kafka's suffix of files that it deletes later.
pub(super) const DELETED_SUFFIX: &str = ".deleted";

/// The name of a file of the segment that starts at `base`: 20 digits and the kind.
pub fn file_name(base: Offset, kind: FileKind) -> String {
    format!("{:020}.{}", base.get(), kind.suffix())
}

/// What a file is called while compaction writes it.
pub(super) fn cleaned_name(base: Offset, kind: FileKind) -> String {
    file_name(base, kind) + CLEANED_SUFFIX
}

/// What a file is called that compaction has written, and that has yet to take its place.
pub(super) fn swap_name(base: Offset, kind: FileKind) -> String {
    file_name(base, kind) + SWAP_SUFFIX
}

/// The segment and kind that a file name stands for, if it is one of a segment.
pub fn parse_file_name(name: &str) -> Option<(Offset, FileKind)> {
    let (digits, suffix) = name.split_once('.')?;
    let kind = FileKind::ALL.into_iter().find(|kind| kind.suffix() == suffix)?;
    let plain = digits.len() == 20 && digits.bytes().all(|digit| digit.is_ascii_digit());
    plain.then(|| digits.parse().ok().map(|base| (Offset::new(base), kind)))?
}

/// A segment that will not be appended to, wholly on disk under all its names.
#[derive(Clone, Debug)]
pub struct SealedSegment {
    /// The offset it starts at.
    pub base_offset: Offset,
    /// The offset behind its last record: where the next segment starts.
    pub end_offset: Offset,
    /// The length of its log file.
    pub size: Position,
    /// The file, opened for reading through the page cache, once somebody reads.
    pub file: Option<FileHandle>,
    /// The offset index, once somebody searches.
    pub offsets: Option<Arc<OffsetIndex>>,
    /// The time index, once somebody searches by time.
    pub times: Option<Arc<TimeIndex>>,
    /// What the time index says last; `None` until it has been read.
    pub largest: Option<Option<(Timestamp, Offset)>>,
    /// The largest timestamp is that of the batches themselves: an index that lost entries does not
    /// decide what is deleted.
    pub is_verified: bool,
    /// Its files do not have their names yet: the open file has to be kept.
    pub is_pinned: bool,
}

impl SealedSegment {
    /// A segment found on disk.
    pub fn new(base_offset: Offset, end_offset: Offset, size: Position) -> Self {
        Self {
            base_offset,
            end_offset,
            size,
            file: None,
            offsets: None,
            times: None,
            largest: None,
            is_verified: false,
            is_pinned: false,
        }
    }

    /// Gives up its file and indexes; the next read brings them back, by the names on the disk.
    pub(super) fn let_go(&mut self) {
        self.is_pinned = false;
        self.file = None;
        self.offsets = None;
        self.times = None;
    }

    /// The path of one of its files.
    pub fn path(&self, directory: &FileName, kind: FileKind) -> FileName {
        directory.join(&file_name(self.base_offset, kind))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_kafkas() {
        let name = file_name(Offset::new(4711), FileKind::TimeIndex);
        assert_eq!(name, "00000000000000004711.timeindex");
        assert_eq!(parse_file_name(&name), Some((Offset::new(4711), FileKind::TimeIndex)));
        for other in ["4711.log", "00000000000000004711", "0000000000000000471x.log", "x.lock"] {
            assert_eq!(parse_file_name(other), None, "{other}");
        }
    }
}
