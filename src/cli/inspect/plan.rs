//! What the next start would do with a partition: which bytes of its files it would believe, and
//! which entries of the write-ahead logs it would put behind them.

use crate::cli::json::Json;
use crate::io::BLOCK_BYTES;
use crate::log::{FileKind, Place};
use crate::record::BatchHeader;
use crate::store::{PartitionRecord, PartitionSource};
use crate::types::{Offset, PartitionSequence, Position};
use crate::wal::{EntryKind, ReplayedEntry};

/// The plan of one partition.
#[derive(Debug, Default)]
pub(super) struct Plan {
    /// Whether anything is known besides the files.
    known: bool,
    checkpoint: Option<(Place, Offset, Offset)>,
    /// Where the believed bytes end.
    believed: Place,
    end_offset: Offset,
    replayed: usize,
    replayed_bytes: u64,
    already_in_segments: usize,
    first_replayed: Option<Offset>,
    ignored_bytes: u64,
    removed_files: usize,
    fault: Option<String>,
}

impl Plan {
    pub(super) fn of(
        source: Option<&PartitionSource>,
        files: &[((Offset, FileKind), u64)],
    ) -> Self {
        let Some(source) = source else { return Self::default() };
        let mut entries: Vec<&ReplayedEntry> = source.entries.iter().collect();
        entries.sort_by_key(|entry| (entry.meta.sequence, entry.meta.position));
        let first = entries.first().map(|entry| entry.meta.segment_base_offset);
        let record = source.record.as_ref();
        let mut plan = Self {
            known: true,
            checkpoint: record.map(|it| (it.log.synced, it.log.start_offset, it.end_offset)),
            believed: record.map_or(
                Place { segment_base_offset: first.unwrap_or_default(), ..Place::default() },
                |record| record.log.synced,
            ),
            end_offset: record.map_or(Offset::ZERO, |record| record.end_offset),
            ..Self::default()
        };
        plan.follow(&entries, record);
        plan.compare(files);
        plan
    }

    /// Goes through the entries as recovery does.
    fn follow(&mut self, entries: &[&ReplayedEntry], record: Option<&PartitionRecord>) {
        let mut sequence = record.map_or(PartitionSequence::new(0), |record| record.sequence);
        let mut newest = self.believed.segment_base_offset;
        for entry in entries {
            let meta = &entry.meta;
            let end = meta.position.plus(entry.payload.len() as u64);
            let place = (meta.segment_base_offset, end);
            if place > (self.believed.segment_base_offset, self.believed.position) {
                self.replayed += 1;
                self.replayed_bytes += entry.payload.len() as u64;
                newest = newest.max(meta.segment_base_offset);
            } else {
                self.already_in_segments += 1;
            }
            if meta.kind != EntryKind::Append || meta.sequence <= sequence {
                continue;
            }
            let Ok(header) = BatchHeader::decode(&entry.payload) else {
                self.fail(format!("entry {} holds no record batch", entry.lsn));
                return;
            };
            if meta.sequence != sequence.next() || header.base_offset != self.end_offset {
                self.fail(format!(
                    "offset {} (change {}) is missing, {} (change {}) comes next",
                    self.end_offset,
                    sequence.next(),
                    header.base_offset,
                    meta.sequence
                ));
                return;
            }
            self.first_replayed.get_or_insert(header.base_offset);
            sequence = meta.sequence;
            self.end_offset = header.next_offset();
        }
    }

    /// What the files have too much, or too little.
    fn compare(&mut self, files: &[((Offset, FileKind), u64)]) {
        let Place { segment_base_offset: active, position } = self.believed;
        let mut active_len = 0;
        for ((base, kind), len) in files {
            // Snapshots are named after the segment that follows.
            let later = *base > active && *kind != FileKind::ProducerSnapshot;
            self.removed_files += usize::from(later);
            if *kind == FileKind::Log && *base == active {
                active_len = *len;
            }
            if *kind == FileKind::Log && later {
                self.ignored_bytes += len;
            }
        }
        self.ignored_bytes += active_len.saturating_sub(position.get());
        if active_len < position.get() {
            self.fail(format!(
                "the segment {active} has {active_len} bytes, the checkpoint counts on {position}"
            ));
        }
    }

    fn fail(&mut self, fault: String) {
        self.fault.get_or_insert(fault);
    }

    /// How many bytes of a segment's file count, none for all of them.
    pub(super) fn believed(&self, base: Offset) -> Option<u64> {
        let Place { segment_base_offset: active, position } = self.believed;
        match base.cmp(&active) {
            _ if !self.known => None,
            core::cmp::Ordering::Less => None,
            core::cmp::Ordering::Equal => Some(position.get()),
            core::cmp::Ordering::Greater => Some(0),
        }
    }

    pub(super) fn json(&self) -> Json {
        if !self.known {
            return Json::Null;
        }
        let number = |offset: Option<Offset>| offset.map_or(Json::Null, |it| it.get().into());
        let whole_blocks = self.believed.position.get().is_multiple_of(BLOCK_BYTES as u64);
        let synced = |place: Position| Json::from(place.get());
        let checkpoint = self.checkpoint.as_ref();
        Json::object([
            ("checkpoint_segment", number(checkpoint.map(|it| it.0.segment_base_offset))),
            ("checkpoint_position", checkpoint.map_or(Json::Null, |it| synced(it.0.position))),
            ("checkpoint_whole_blocks", Json::Bool(whole_blocks)),
            ("checkpoint_end_offset", number(checkpoint.map(|it| it.2))),
            ("log_start_offset", number(checkpoint.map(|it| it.1))),
            ("entries_to_replay", self.replayed.into()),
            ("bytes_to_replay", self.replayed_bytes.into()),
            ("entries_in_segments", self.already_in_segments.into()),
            ("first_offset_after_checkpoint", number(self.first_replayed)),
            ("end_offset", self.end_offset.get().into()),
            ("file_bytes_ignored", self.ignored_bytes.into()),
            ("files_removed", self.removed_files.into()),
            ("fault", self.fault.as_ref().map_or(Json::Null, Json::text)),
        ])
    }
}
