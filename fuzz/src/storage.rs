//! Bytes of disks: what is found in a write-ahead log's directory and in a partition's.

use std::any::Any;
use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Duration;

use millstream::partition::{Durability, PartitionSettings};
use millstream::store::{Owner, PartitionSource, Recovery, Returning, Sources, Store, StoreConfig};

use millstream::io::{
    Buffer, DirectoryEntry, DiskDone, DiskError, DiskOp, DiskQueue, DiskRequest, DiskResult,
    EntryKind, FileHandle, FileName, OpenFile,
};
use millstream::log::{Chunks, Log, LogCheckpoint, LogRecovery, LogSettings, Place};
use millstream::types::{
    Instant, LeaderEpoch, Now, Offset, PartitionSequence, Position, ShardId, Timestamp,
    TopicPartition, Uuid,
};
use millstream::wal::{
    EntryMeta, Replay, Replayed, SLOT_NAMES, SlotWriter, Urgency, Wal, WalLimits,
};

const OWNER: u32 = 0;
const STEPS_MAX: usize = 10_000;
const WAL_LIMITS: WalLimits = WalLimits {
    bytes_max: 64 << 10,
    first_file_bytes: 32 << 10,
    file_bytes_max: 32 << 10,
    commit_bytes_max: 4 << 10,
};
const CLEANUP: millstream::config::CleanupSettings = millstream::config::CleanupSettings {
    delete: true,
    compact: false,
    retention: None,
    retention_bytes: None,
    file_delete_delay: Duration::ZERO,
    dirty_ratio_min: 0.5,
    delete_retention: Duration::ZERO,
    compaction_lag_min: Duration::ZERO,
    compaction_lag_max: Duration::MAX,
};
const LOG_SETTINGS: LogSettings = LogSettings {
    segment_bytes: 1 << 20,
    segment_age_max: Duration::from_secs(3600),
    index_interval_bytes: 4096,
    index_bytes_max: 1 << 16,
};

#[derive(Debug, Default)]
struct File(Mutex<Vec<u8>>);

impl OpenFile for File {
    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// A directory in memory.
#[derive(Debug, Default)]
struct Directory(BTreeMap<String, FileHandle>);

fn content(file: &FileHandle) -> std::sync::MutexGuard<'_, Vec<u8>> {
    let file: &File = file.downcast().expect("opened here");
    file.0.lock().expect("one thread")
}

fn name_of(path: &FileName) -> String {
    path.rsplit('/').next().expect("a path").to_owned()
}

impl Directory {
    fn put(&mut self, name: &str, bytes: &[u8]) {
        let file = FileHandle::new(File(Mutex::new(bytes.to_vec())));
        self.0.insert(name.to_owned(), file);
    }

    fn perform(&mut self, op: DiskOp) -> DiskResult {
        match op {
            DiskOp::List { .. } => {
                let entry = |(name, file): (&String, &FileHandle)| DirectoryEntry {
                    name: name.clone(),
                    kind: EntryKind::File,
                    len: content(file).len() as u64,
                };
                return Ok(DiskDone::Listed(self.0.iter().map(entry).collect()));
            }
            DiskOp::Open { path, create, .. } => {
                let name = name_of(&path);
                if create && !self.0.contains_key(&name) {
                    self.put(&name, &[]);
                }
                let file = self.0.get(&name).cloned().ok_or(DiskError::NotFound)?;
                let len = content(&file).len() as u64;
                return Ok(DiskDone::Opened { file, len });
            }
            DiskOp::Read { file, position, len } => {
                let bytes = content(&file);
                let start = bytes.len().min(position as usize);
                let end = bytes.len().min(start + len);
                let mut buffer = Buffer::with_capacity(len.max(1));
                buffer.extend(&bytes[start..end]);
                return Ok(DiskDone::Read(buffer.range(0..end - start)));
            }
            DiskOp::ReadFile { path, bytes_max } => {
                let file = self.0.get(&name_of(&path)).ok_or(DiskError::NotFound)?;
                let bytes = content(file).clone();
                let fits = bytes.len() as u64 <= bytes_max;
                return if fits { Ok(DiskDone::Bytes(bytes)) } else { Err(DiskError::TooLarge) };
            }
            DiskOp::Write { file, position, bytes } => {
                let (mut content, start) = (content(&file), position as usize);
                let end = start + bytes.len();
                if content.len() < end {
                    content.resize(end, 0);
                }
                content[start..end].copy_from_slice(&bytes);
            }
            DiskOp::SetLength { file, len } => content(&file).resize(len as usize, 0),
            DiskOp::Remove { path } => drop(self.0.remove(&name_of(&path))),
            _ => {}
        }
        Ok(DiskDone::Done)
    }
}

/// A write-ahead log's file with a few commits, to be damaged.
pub fn wal_seed() -> Vec<u8> {
    let mut wal = Wal::new(7, &FileName::new("/wal"), WAL_LIMITS);
    let (mut directory, mut requests) = (Directory::default(), Vec::new());
    wal.create(&mut DiskQueue::new(OWNER, &mut requests));
    let mut sequence = PartitionSequence::new(0);
    for commit in 0..4 {
        while let Some(DiskRequest { token, op, .. }) = requests.pop() {
            let result = directory.perform(op);
            let mut queue = DiskQueue::new(OWNER, &mut requests);
            wal.completed(token, result, &mut queue).expect("a disk without faults");
        }
        for _ in 0..3 {
            sequence = sequence.next();
            let meta = EntryMeta {
                kind: millstream::wal::EntryKind::Metadata,
                partition: TopicPartition::default(),
                sequence,
                segment_base_offset: Offset::ZERO,
                position: Position::ZERO,
            };
            wal.append(&meta, &[commit; 300], &[], Urgency::MakesRoom);
        }
        wal.flush(&mut DiskQueue::new(OWNER, &mut requests));
    }
    while let Some(DiskRequest { token, op, .. }) = requests.pop() {
        let result = directory.perform(op);
        let mut queue = DiskQueue::new(OWNER, &mut requests);
        wal.completed(token, result, &mut queue).expect("a disk without faults");
    }
    let longest = directory
        .0
        .values()
        .max_by_key(|file| content(file).iter().filter(|byte| **byte != 0).count());
    longest.map(|file| content(file).clone()).expect("a file")
}

/// A write-ahead log's only file, and perhaps a slot: the first byte says how much of it is one.
pub fn wal_replay(data: &[u8]) -> usize {
    let Some((slot_bytes, bytes)) = data.split_first() else { return 0 };
    let (slot, file) = bytes.split_at(bytes.len().min(usize::from(*slot_bytes)));
    let mut directory = Directory::default();
    if !slot.is_empty() {
        directory.put(millstream::wal::SLOT_NAMES[0], slot);
    }
    directory.put("00.wal", file);
    replay(&mut directory).map_or(0, |replayed| replayed.entries.len())
}

fn replay(directory: &mut Directory) -> Option<Replayed> {
    let (mut replay, mut requests) = (Replay::new(FileName::new("/wal")), Vec::new());
    replay.start(&mut DiskQueue::new(OWNER, &mut requests));
    for _ in 0..STEPS_MAX {
        let DiskRequest { token, op, .. } = requests.pop().expect("it asks until it is done");
        let result = directory.perform(op);
        match replay.completed(token, result, &mut DiskQueue::new(OWNER, &mut requests)) {
            Ok(Some(replayed)) => return Some(replayed),
            Ok(None) => {}
            Err(_) => return None,
        }
    }
    panic!("replay does not end");
}

/// A checkpoint's slot whose CRC is right, with these bytes as its only record; and the start that
/// follows. Whether the partition came back.
pub fn checkpoint(record: &[u8]) -> bool {
    let mut slot = SlotWriter::default();
    slot.push(record);
    let mut wal = Directory::default();
    wal.put(SLOT_NAMES[0], &slot.finish(7, 1, 1));
    let log = replay(&mut wal).expect("a whole slot");
    let now = Now { instant: Instant::new(1), timestamp: Timestamp::new(1) };
    let Ok(sources) = Sources::of(vec![(7, log)], now.instant) else { return false };
    let Some((id, source)) = sources.partitions.into_iter().next() else { return false };
    restart(id, source, now)
}

fn restart(id: TopicPartition, source: PartitionSource, now: Now) -> bool {
    let mut directory = Directory::default();
    directory.put("00000000000000000000.log", &[0; 8192]);
    let name = "topic-0".to_owned();
    let (settings, leader_epoch) = (
        PartitionSettings { log: LOG_SETTINGS, durability: Durability::Disk, cleanup: CLEANUP },
        LeaderEpoch::new(0),
    );
    let has_directory = true;
    let mut recovery = Recovery::new(
        vec![Returning { id, name, settings, leader_epoch, source, has_directory }],
        0,
    );
    let mut store = Store::new(store_config());
    if store.recover(&mut recovery).is_err() {
        return false;
    }
    let mut requests = Vec::new();
    for _ in 0..STEPS_MAX {
        store.take_requests(&mut requests);
        let Some(DiskRequest { owner, token, op }) = requests.pop() else { break };
        let Owner::Recovery(key) = Owner::decode(owner) else { unreachable!("nothing else asks") };
        let result = directory.perform(op);
        if store.recovery_completed(&mut recovery, key, token, result, now).is_err() {
            return false;
        }
    }
    assert!(recovery.is_done(), "recovery does not end");
    true
}

fn store_config() -> StoreConfig {
    StoreConfig {
        log_directory: FileName::new("/data"),
        log_directory_id: Uuid::ZERO,
        wal_parent: FileName::new("/wal"),
        wal_id: 8,
        shard: ShardId::FIRST,
        wal: WAL_LIMITS,
        tail_bytes_max: 1 << 24,
        checkpoint_bytes: 1 << 20,
        checkpoint_interval: Duration::from_secs(1),
        reserve_bytes: 0,
        producer_expiry: Duration::from_secs(1),
        retention_interval: Duration::from_secs(300),
        compaction: millstream::store::CompactionLimits {
            enabled: true,
            map_bytes_max: 1 << 20,
            bytes_per_second: u64::MAX,
            backoff: core::time::Duration::from_secs(15),
        },
    }
}

/// A partition's directory: lengths of the parts, then segment, offset index, time index.
pub fn log_recovery(data: &[u8]) {
    let Some((head, bytes)) = data.split_first_chunk::<8>() else { return };
    let part = |at: usize| usize::from(u16::from_be_bytes([head[at], head[at + 1]]));
    let (log, rest) = bytes.split_at(bytes.len().min(part(0)));
    let (offsets, times) = rest.split_at(rest.len().min(part(2)));
    let mut directory = Directory::default();
    directory.put("00000000000000000000.log", log);
    directory.put("00000000000000000000.index", offsets);
    directory.put("00000000000000000000.timeindex", times);
    let position = Position::new(part(4) as u64);
    let checkpoint = LogCheckpoint {
        synced: Place { segment_base_offset: Offset::ZERO, position },
        start_offset: Offset::new(i64::from(head[6])),
        largest: None,
    };
    let log = Log::new(&FileName::new("/data"), "topic-0", b"version: 0".to_vec());
    let checkpoint = (head[7] % 4 != 0).then_some(checkpoint);
    let mut recovery = LogRecovery::new(log, checkpoint, Vec::new(), LOG_SETTINGS);
    let (mut chunks, mut requests) = (Chunks::new(1 << 24), Vec::new());
    recovery.start(&mut DiskQueue::new(OWNER, &mut requests));
    for _ in 0..STEPS_MAX {
        let DiskRequest { token, op, .. } = requests.pop().expect("it asks until it is done");
        let result = directory.perform(op);
        let mut queue = DiskQueue::new(OWNER, &mut requests);
        match recovery.completed(token, result, &mut chunks, &mut queue) {
            Ok(None) => {}
            Ok(Some(_)) | Err(_) => return,
        }
    }
    panic!("recovery does not end");
}
