//! Memory, write-ahead log, checkpoints, and work in the background.

use core::time::Duration;

use crate::config::error::SettingError;
use crate::config::reader::Reader;

/// The alignment of what is written to a write-ahead log.
const COMMIT_BLOCK_BYTES: usize = 4096;

/// How closely compressed batches are looked at: `produce.validation`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Validation {
    /// Their headers have to do.
    Header,
    /// Their records are read one by one.
    Full,
}

/// What compaction of all cores together may take: `log.cleaner.*`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct CompactionSettings {
    /// Whether it runs at all.
    pub enabled: bool,
    /// Memory for keys.
    pub map_bytes_max: usize,
    /// Bytes read and written in a second.
    pub bytes_per_second: u64,
    /// The pause when there is nothing to compact.
    pub backoff: Duration,
}

/// Memory, write-ahead log, checkpoints, and work in the background.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct StorageSettings {
    /// How closely compressed batches are looked at.
    pub validation: Validation,
    /// Memory for recent data.
    pub memory_bytes: usize,
    /// Disk space for the write-ahead logs of all cores together.
    pub wal_bytes_max: u64,
    /// The largest file of a write-ahead log.
    pub wal_file_bytes_max: u64,
    /// The most bytes written to a write-ahead log at once.
    pub wal_commit_bytes_max: usize,
    /// Bytes logged since the last checkpoint after which the next begins.
    pub checkpoint_bytes: u64,
    /// The longest time between two checkpoints.
    pub checkpoint_interval: Duration,
    /// Disk space that produce leaves alone.
    pub disk_reserve_bytes: u64,
    /// How often segments are looked at for removal.
    pub retention_check_interval: Duration,
    /// What compaction may take.
    pub compaction: CompactionSettings,
    /// How long an idle producer's sequence numbers are remembered.
    pub producer_id_expiry: Duration,
}

pub(super) fn read(
    reader: &Reader<'_>,
    request_bytes_max: usize,
) -> Result<StorageSettings, SettingError> {
    let full = reader.text("produce.validation")? == "full";
    let settings = StorageSettings {
        validation: if full { Validation::Full } else { Validation::Header },
        memory_bytes: reader.whole("memory.bytes")?,
        wal_bytes_max: reader.whole("wal.bytes.max")?,
        wal_file_bytes_max: reader.whole("wal.file.bytes")?,
        wal_commit_bytes_max: reader.whole("wal.commit.bytes.max")?,
        checkpoint_bytes: reader.whole("checkpoint.bytes")?,
        checkpoint_interval: reader.millis("checkpoint.interval.ms")?,
        disk_reserve_bytes: reader.whole("disk.reserve.bytes")?,
        retention_check_interval: reader.millis("log.retention.check.interval.ms")?,
        compaction: CompactionSettings {
            enabled: reader.boolean("log.cleaner.enable")?,
            map_bytes_max: reader.whole("log.cleaner.dedupe.buffer.size")?,
            bytes_per_second: reader.number("log.cleaner.io.max.bytes.per.second")? as u64,
            backoff: reader.millis("log.cleaner.backoff.ms")?,
        },
        producer_id_expiry: reader.millis("producer.id.expiration.ms")?,
    };
    check_wal(reader, &settings, request_bytes_max)?;
    Ok(settings)
}

fn check_wal(
    reader: &Reader<'_>,
    settings: &StorageSettings,
    request_bytes_max: usize,
) -> Result<(), SettingError> {
    if !settings.wal_commit_bytes_max.is_multiple_of(COMMIT_BLOCK_BYTES) {
        let problem = format!("expected a multiple of {COMMIT_BLOCK_BYTES}");
        return Err(reader.refuse("wal.commit.bytes.max", problem));
    }
    // A batch is logged in one piece, and a request may hold no more than one.
    if settings.wal_file_bytes_max <= request_bytes_max as u64 {
        let request = "socket.request.max.bytes";
        let problem = format!("expected more than {request}, which is {request_bytes_max}");
        return Err(reader.refuse_pair("wal.file.bytes", request, problem));
    }
    // One file is filled while the other is carried over to the segments.
    if settings.wal_bytes_max / 2 < settings.wal_file_bytes_max {
        let file = settings.wal_file_bytes_max;
        let problem = format!("expected at least twice wal.file.bytes, which is {file}");
        return Err(reader.refuse_pair("wal.bytes.max", "wal.file.bytes", problem));
    }
    Ok(())
}
