//! What a data directory holds besides segments: ids, metadata, write-ahead logs.

use std::fs::File;

use rustix::fs::{FlockOperation, flock};

use super::disk;
use crate::cli::CliError;
use crate::cli::json::Json;
use crate::io::{DiskError, EntryKind, FileName};
use crate::metadata::{Image, MetadataEntry};
use crate::store::Sources;
use crate::types::{Instant, Uuid};
use crate::wal::{EntryKind as LogEntryKind, Replayed, ReplayedEntry};

const META_PROPERTIES: &str = "meta.properties";
const CLEAN_MARKER: &str = "clean-shutdown";
const LOCK: &str = ".lock";
const SMALL_FILE_BYTES_MAX: u64 = 1 << 31;

/// A write-ahead log that was read, or why it cannot be.
#[derive(Debug)]
struct WriteAheadLog {
    name: String,
    files: usize,
    file_bytes: u64,
    summary: Result<Vec<(String, Json)>, String>,
}

/// What was found.
#[derive(Debug)]
pub(super) struct Contents {
    properties: Vec<(String, String)>,
    clean: bool,
    /// Names of directories in the root.
    pub(super) directories: Vec<String>,
    /// The metadata, if it can be read.
    pub(super) image: Option<Image>,
    snapshots: usize,
    logs: Vec<WriteAheadLog>,
    /// What the write-ahead logs hold, by partition.
    pub(super) sources: Sources,
    /// What the user should know.
    pub(super) warnings: Vec<String>,
}

impl Contents {
    pub(super) fn read(root: &FileName) -> Result<Self, CliError> {
        let unreadable = |error: DiskError| CliError::Message(format!("{root}: {error}"));
        let entries = disk::list(root).map_err(unreadable)?;
        let has = |name: &str| entries.iter().any(|entry| entry.name == name);
        if !has(META_PROPERTIES) {
            return Err(CliError::Message(format!(
                "{root} has no {META_PROPERTIES}: it is not the data directory of a broker"
            )));
        }
        let properties = disk::read_file(&root.join(META_PROPERTIES), SMALL_FILE_BYTES_MAX);
        let properties = properties_of(&properties.map_err(unreadable)?);
        let directories = entries.iter().filter(|entry| entry.kind == EntryKind::Directory);
        let mut contents = Self {
            properties,
            clean: has(CLEAN_MARKER),
            directories: directories.map(|entry| entry.name.clone()).collect(),
            image: None,
            snapshots: 0,
            logs: Vec::new(),
            sources: Sources::default(),
            warnings: Vec::new(),
        };
        if has(LOCK) && is_locked(&root.join(LOCK)) {
            contents
                .warnings
                .push(format!("a broker runs on {root}: what is shown changes while it is read"));
        }
        contents.read_logs(&root.join("wal"));
        contents.read_metadata(&root.join("metadata"));
        Ok(contents)
    }

    fn property(&self, name: &str) -> Option<&str> {
        let found = self.properties.iter().find(|(key, _)| key == name);
        found.map(|(_, value)| value.as_str())
    }

    fn read_logs(&mut self, parent: &FileName) {
        let mut replayed = Vec::new();
        for entry in disk::list(parent).unwrap_or_default() {
            let Ok(wal_id) = u64::from_str_radix(&entry.name, 16) else { continue };
            let directory = parent.join(&entry.name);
            let files = disk::list(&directory).unwrap_or_default();
            let files = files.iter().filter(|file| file.name.ends_with(".wal"));
            let summary = disk::replay(&directory).map(|log| {
                let summary = summary(&log);
                replayed.push((wal_id, log));
                summary
            });
            if let Err(error) = &summary {
                self.warnings.push(format!("a start would fail: {error}"));
            }
            let (count, file_bytes) =
                files.fold((0, 0), |(count, bytes), file| (count + 1, bytes + file.len));
            self.logs.push(WriteAheadLog { name: entry.name, files: count, file_bytes, summary });
        }
        match Sources::of(replayed, Instant::new(0)) {
            Ok(sources) => self.sources = sources,
            Err(damaged) => self.warnings.push(format!("a start would fail: {damaged}")),
        }
    }

    /// The newest snapshot that is whole, and the entries behind it.
    fn read_metadata(&mut self, parent: &FileName) {
        let names = disk::list(parent).unwrap_or_default().into_iter().map(|entry| entry.name);
        let snapshots: Vec<String> = names.filter(|name| name.ends_with(".snapshot")).collect();
        self.snapshots = snapshots.len();
        let cluster_id = self.property("cluster.id").and_then(|id| id.parse::<Uuid>().ok());
        let mut whole = snapshots.iter().rev().filter_map(|name| {
            let bytes = disk::read_file(&parent.join(name), SMALL_FILE_BYTES_MAX).ok()?;
            Image::decode_snapshot(&bytes)
        });
        let image = whole.next().unwrap_or_else(|| Image::new(cluster_id.unwrap_or(Uuid::ZERO)));
        if cluster_id.is_none() {
            self.warnings.push(format!("a start would fail: {META_PROPERTIES} has no cluster.id"));
        }
        match with_entries(image, &self.sources.metadata) {
            Ok(image) => self.image = Some(image),
            Err(error) => self.warnings.push(format!("a start would fail: {error}")),
        }
        if let Some(image) = &self.image {
            let unknown =
                self.sources.partitions.keys().filter(|id| {
                    image.topic(id.topic).is_none() && !image.removed.contains(&id.topic)
                });
            self.warnings.extend(unknown.map(|id| {
                format!(
                    "a start would fail: the write-ahead logs have entries of topic {} partition \
                     {}, which the metadata does not know",
                    id.topic, id.partition
                )
            }));
        }
    }

    pub(super) fn identity(&self) -> Json {
        let mut fields: Vec<(String, Json)> =
            self.properties.iter().map(|(name, value)| (name.clone(), Json::text(value))).collect();
        fields.push(("clean_shutdown".to_owned(), Json::Bool(self.clean)));
        Json::Object(fields)
    }

    pub(super) fn metadata(&self) -> Json {
        let Some(image) = &self.image else { return Json::Null };
        Json::object([
            ("snapshots", self.snapshots.into()),
            ("term", image.at.term.into()),
            ("index", image.at.index.into()),
            ("topics", image.topic_count().into()),
            ("next_producer_id", image.next_producer_id.get().into()),
        ])
    }

    pub(super) fn write_ahead_logs(&self) -> Json {
        Json::list(self.logs.iter().map(|log| {
            let mut fields = vec![
                ("id".to_owned(), Json::text(&log.name)),
                ("files".to_owned(), log.files.into()),
                ("file_bytes".to_owned(), log.file_bytes.into()),
            ];
            match &log.summary {
                Ok(summary) => fields.extend(summary.iter().cloned()),
                Err(error) => fields.push(("error".to_owned(), Json::text(error))),
            }
            Json::Object(fields)
        }))
    }
}

fn properties_of(bytes: &[u8]) -> Vec<(String, String)> {
    let text = String::from_utf8_lossy(bytes);
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    let pairs = lines.filter_map(|line| line.split_once('='));
    pairs.map(|(name, value)| (name.trim().to_owned(), value.trim().to_owned())).collect()
}

/// Whether a broker holds the lock. Taking it for a moment is the only way to know.
fn is_locked(path: &FileName) -> bool {
    let Ok(file) = File::open(&**path) else { return false };
    flock(&file, FlockOperation::NonBlockingLockShared).is_err()
}

fn summary(log: &Replayed) -> Vec<(String, Json)> {
    let count = |kind| log.entries.iter().filter(|entry| entry.meta.kind == kind).count();
    let bytes: usize = log.entries.iter().map(|entry| entry.payload.len()).sum();
    let last = log.entries.last().map_or(0, |entry| entry.lsn.get());
    let checkpoint = log.slot.as_ref().map_or(Json::Null, |slot| slot.number.into());
    [
        ("checkpoint", checkpoint),
        ("entries", log.entries.len().into()),
        ("last_entry", last.into()),
        ("payload_bytes", bytes.into()),
        ("appends", count(LogEntryKind::Append).into()),
        ("carries", count(LogEntryKind::Carry).into()),
        ("truncations", count(LogEntryKind::Truncate).into()),
        ("log_starts", count(LogEntryKind::LogStart).into()),
        ("metadata", count(LogEntryKind::Metadata).into()),
        ("fences", count(LogEntryKind::Fence).into()),
        ("torn", Json::Bool(log.torn)),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into()
}

fn with_entries(mut image: Image, entries: &[ReplayedEntry]) -> Result<Image, String> {
    let decoded: Option<Vec<MetadataEntry>> =
        entries.iter().map(|entry| MetadataEntry::decode(&entry.payload)).collect();
    let mut decoded = decoded.ok_or("an entry of the metadata log cannot be read")?;
    decoded.sort_by_key(|entry| entry.at.index);
    for entry in decoded {
        if entry.at.index > image.at.index {
            image = image.apply(&entry).map_err(|error| {
                format!("entry {} of the metadata log: {}", error.at.index, error.reason)
            })?;
        }
    }
    Ok(image)
}
