//! Goes through a segment's batches and compares its indexes with them.

use std::fs::{self, File};
use std::path::Path;

use super::disk::read_at;
use crate::cli::CliError;
use crate::cli::json::Json;
use crate::cli::timestamp;
use crate::log::{FileKind, file_name};
use crate::record::{Batch, Batches, BatchesEnd};
use crate::types::{Offset, Timestamp};

/// How much is read at once; a larger batch is read whole.
const WINDOW_BYTES: usize = 8 << 20;
const DECOMPRESSED_BYTES_MAX: usize = 1 << 30;
const OFFSET_ENTRY_BYTES: usize = 8;
const TIME_ENTRY_BYTES: usize = 12;

/// A batch as an index knows it.
#[derive(Clone, Copy, Debug)]
struct Known {
    position: u64,
    base_offset: Offset,
    last_offset: Offset,
    max_timestamp: Timestamp,
}

/// What a segment holds.
#[derive(Debug)]
pub(super) struct Scan {
    base: Offset,
    file_bytes: u64,
    believed: u64,
    batches: Vec<Known>,
    records: u64,
    fault: Option<String>,
    offset_index: String,
    time_index: String,
    listed: Vec<Json>,
}

impl Scan {
    /// Reads the first `believed` bytes of a segment, which are whole batches.
    pub(super) fn of(
        directory: &Path,
        base: Offset,
        file_bytes: u64,
        believed: u64,
        list_records: bool,
    ) -> Result<Self, CliError> {
        let path = directory.join(file_name(base, FileKind::Log));
        let failed = |error| CliError::io(path.display(), &error);
        let file = File::open(&path).map_err(failed)?;
        let mut scan = Self {
            base,
            file_bytes,
            believed,
            batches: Vec::new(),
            records: 0,
            fault: None,
            offset_index: String::new(),
            time_index: String::new(),
            listed: Vec::new(),
        };
        let (mut position, mut window) = (0, WINDOW_BYTES);
        while position < believed && scan.fault.is_none() {
            let len = usize::try_from(believed - position).unwrap_or(window).min(window);
            let bytes = read_at(&file, position, len).map_err(failed)?;
            let taken = scan.take(&bytes, position, list_records);
            position += taken.0;
            // Nothing whole in the window: a larger one, or the believed bytes end within a batch.
            window = if taken.0 == 0 { taken.1 } else { WINDOW_BYTES };
            if taken.0 == 0 && (taken.1 <= bytes.len() || len < window) {
                break;
            }
        }
        let index = fs::read(directory.join(file_name(base, FileKind::OffsetIndex)));
        scan.offset_index = index.map_or("missing".into(), |it| scan.check_offsets(&it));
        let index = fs::read(directory.join(file_name(base, FileKind::TimeIndex)));
        scan.time_index = index.map_or("missing".into(), |it| scan.check_times(&it));
        Ok(scan)
    }

    /// Takes the whole batches of a window; the bytes they have, and those that the next one needs.
    fn take(&mut self, bytes: &[u8], at: u64, list_records: bool) -> (u64, usize) {
        let mut batches = Batches::new(bytes);
        loop {
            let position = at + batches.position() as u64;
            let Some(batch) = batches.next() else { break };
            if !batch.checksum_holds() {
                self.fault = Some(format!("wrong checksum at byte {position}"));
                return (position - at, 0);
            }
            let header = batch.header();
            self.records += u64::from(header.record_count.max(0).unsigned_abs());
            self.batches.push(Known {
                position,
                base_offset: header.base_offset,
                last_offset: header.last_offset(),
                max_timestamp: header.max_timestamp,
            });
            if list_records {
                self.list(&batch);
            }
        }
        let taken = batches.position() as u64;
        let needed = match batches.end() {
            Some(BatchesEnd::Partial { bytes_needed }) => bytes_needed,
            Some(BatchesEnd::OldFormat(_) | BatchesEnd::Garbage(_)) => {
                self.fault = Some(format!("no record batch at byte {}", at + taken));
                0
            }
            _ => 0,
        };
        (taken, needed)
    }

    fn list(&mut self, batch: &Batch<'_>) {
        let mut scratch = Vec::new();
        let Ok(records) = batch.records(DECOMPRESSED_BYTES_MAX, &mut scratch) else {
            self.fault =
                Some(format!("records at offset {} are damaged", batch.header().base_offset));
            return;
        };
        for record in records.map_while(Result::ok) {
            let time = timestamp::format(record.timestamp);
            self.listed.push(Json::Object(vec![
                ("offset".to_owned(), record.offset.get().into()),
                ("timestamp".to_owned(), Json::Text(time)),
                Json::bytes("key", record.key),
                Json::bytes("value", record.value),
            ]));
        }
    }

    /// Each entry must name the place and the last offset of a batch. Zeros behind are room.
    fn check_offsets(&self, bytes: &[u8]) -> String {
        let mut entries = (0, 0);
        for entry in bytes.chunks_exact(OFFSET_ENTRY_BYTES) {
            if entries.0 + entries.1 > 0 && entry == [0; OFFSET_ENTRY_BYTES] {
                break;
            }
            let (relative, position) = (word(&entry[..4]), u64::from(word(&entry[4..])));
            let found = self.batches.binary_search_by_key(&position, |known| known.position);
            let holds = found
                .is_ok_and(|at| self.relative(self.batches[at].last_offset) == i64::from(relative));
            entries = if holds { (entries.0 + 1, entries.1) } else { (entries.0, entries.1 + 1) };
        }
        verdict(entries)
    }

    /// Each entry must name an offset of a batch with that timestamp.
    fn check_times(&self, bytes: &[u8]) -> String {
        let mut entries = (0, 0);
        for entry in bytes.chunks_exact(TIME_ENTRY_BYTES) {
            if entries.0 + entries.1 > 0 && entry == [0; TIME_ENTRY_BYTES] {
                break;
            }
            let time = i64::from(word(&entry[..4])) << 32 | i64::from(word(&entry[4..8]));
            let relative = i64::from(word(&entry[8..]));
            let behind =
                self.batches.partition_point(|known| self.relative(known.base_offset) <= relative);
            let known = behind.checked_sub(1).map(|at| self.batches[at]);
            let holds = known.is_some_and(|known| {
                known.max_timestamp.get() == time && self.relative(known.last_offset) >= relative
            });
            entries = if holds { (entries.0 + 1, entries.1) } else { (entries.0, entries.1 + 1) };
        }
        verdict(entries)
    }

    fn relative(&self, offset: Offset) -> i64 {
        offset.get().wrapping_sub(self.base.get())
    }

    pub(super) fn take_records(&mut self) -> Vec<Json> {
        std::mem::take(&mut self.listed)
    }

    pub(super) fn json(&self) -> Json {
        let max = self.batches.iter().map(|known| known.max_timestamp).max();
        let next = self.batches.last().map_or(self.base, |known| known.last_offset.plus(1));
        let fault = self.fault.as_ref().map_or(Json::Null, Json::text);
        Json::object([
            ("base_offset", self.base.get().into()),
            ("end_offset", next.get().into()),
            ("bytes", self.file_bytes.into()),
            ("believed_bytes", self.believed.into()),
            ("batches", self.batches.len().into()),
            ("records", self.records.into()),
            ("max_timestamp", max.map_or(Json::Null, |max| Json::Text(timestamp::format(max)))),
            ("offset_index", Json::text(&self.offset_index)),
            ("time_index", Json::text(&self.time_index)),
            ("fault", fault),
        ])
    }
}

fn word(bytes: &[u8]) -> u32 {
    u32::from_be_bytes(bytes.try_into().expect("four bytes"))
}

fn verdict((good, bad): (usize, usize)) -> String {
    match bad {
        0 => format!("{good} verified"),
        _ => format!("{good} verified, {bad} unlike the batches"),
    }
}
