//! A small write path of the design's shape, without network, validation and recovery.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use millstream::io::{Buffer, DiskDone, DiskResult, FileHandle, FileName, MemoryRange, OpenMode};
use millstream::runtime::{Completion, Ring, RingOp};

use crate::cases::{Case, Route};
use crate::files::{Files, Prepared, WAL_FILE_BYTES};
use crate::measure::{Report, StallWatch, consumed};

const ENTRY_HEADER: [u8; 96] = [7; 96];
const WRITERS: u64 = 64;
/// As many as the store's checkpoint.
const SYNCS_AT_ONCE: usize = 16;
const SEGMENTS_BYTES: u64 = 6 << 30;
const READ_BYTES: usize = 256 << 10;

#[derive(Debug)]
enum Name {
    Wal,
    Segment { partition: usize },
    Straight { partition: usize, intended: Instant, bytes: MemoryRange },
    StraightSync { intended: Instant },
    CheckpointSync,
    Read,
}

struct Partition {
    chunk: Buffer,
    /// Bytes of the chunk handed to the device.
    handed: usize,
    /// Where the chunk begins in its segment.
    position: u64,
    file: FileHandle,
    path: FileName,
    next: Option<Prepared>,
    old: VecDeque<(FileName, FileHandle)>,
    number: u64,
    writing: usize,
    dirty: bool,
}

struct Checkpoint {
    started_at: u64,
    waiting: VecDeque<usize>,
    /// Their last writes are under way.
    writing: Vec<usize>,
    syncing: usize,
}

pub(crate) struct WritePath<'a> {
    case: &'a Case,
    files: Files,
    ring: Ring<Name>,
    partitions: Vec<Partition>,
    segment_bytes: u64,
    spare_chunks: Vec<Buffer>,
    wal: Vec<FileHandle>,
    wal_end: u64,
    wal_start: u64,
    stage: Buffer,
    stage_acks: Vec<(Instant, u64)>,
    writing_stage: Option<MemoryRange>,
    spare_stage: Option<Buffer>,
    writing_acks: Vec<(Instant, u64)>,
    checkpoint: Option<Checkpoint>,
    dirty: Vec<usize>,
    outstanding: u64,
    acknowledged: u64,
    latency: Histogram<u64>,
    source: Vec<u8>,
    turn: usize,
}

impl<'a> WritePath<'a> {
    pub(crate) fn new(case: &'a Case, files: Files) -> Self {
        let mode =
            if case.route == Route::PageCache { OpenMode::Buffered } else { OpenMode::Direct };
        let count = case.partitions as u64;
        let segment_bytes = (SEGMENTS_BYTES / 4 / count).clamp(1 << 20, 256 << 20) & !0xf_ffff;
        let chunk = case.chunk_bytes;
        let mut partitions = Vec::new();
        for partition in 0..case.partitions {
            files.prepare(partition, 0, mode, segment_bytes);
            let Prepared { path, file, .. } = files.wait_prepared();
            partitions.push(Partition {
                chunk: Buffer::with_capacity(chunk),
                handed: 0,
                position: 0,
                file,
                path,
                next: None,
                old: VecDeque::new(),
                number: 0,
                writing: 0,
                dirty: false,
            });
        }
        let stage_bytes = case.commit_bytes_max.max(case.batch_bytes + 8192);
        let wal = files.wal(case.wal_bytes);
        Self {
            case,
            ring: Ring::new().expect("io_uring"),
            partitions,
            segment_bytes,
            spare_chunks: Vec::new(),
            wal,
            wal_end: 0,
            wal_start: 0,
            stage: Buffer::with_capacity(stage_bytes),
            stage_acks: Vec::new(),
            writing_stage: None,
            spare_stage: None,
            writing_acks: Vec::new(),
            checkpoint: None,
            dirty: Vec::new(),
            outstanding: 0,
            acknowledged: 0,
            latency: Histogram::new(3).expect("a histogram"),
            source: (0..case.batch_bytes).map(|index| (index * 31) as u8).collect(),
            turn: 0,
            files,
        }
    }

    pub(crate) fn run(mut self, seconds: u64) -> Report {
        let (cpu_before, device_before) = consumed();
        let start = Instant::now();
        let end = start + Duration::from_secs(seconds);
        let mut due = start;
        let mut read_due = start;
        let mut checkpoint_due = start;
        let mut watch = StallWatch::new();
        let mut completions = Vec::new();
        loop {
            let now = Instant::now();
            watch.awake(now);
            if now >= end {
                break;
            }
            self.take_prepared();
            due = self.admit(now, due);
            if now >= checkpoint_due && self.checkpoint.is_none() {
                self.begin_checkpoint();
                checkpoint_due = now + Duration::from_millis(self.case.checkpoint_millis);
            }
            if self.case.read_rate > 0 && now >= read_due {
                self.read();
                read_due = now + per_bytes(READ_BYTES, self.case.read_rate);
            }
            self.continue_checkpoint();
            self.commit();
            let wake = due.min(checkpoint_due).min(read_due).max(now);
            let timeout = (wake - now).clamp(Duration::from_micros(20), Duration::from_millis(1));
            watch.sleeping(Instant::now(), timeout);
            self.ring.turn(Some(timeout), &mut completions).expect("the ring turns");
            for completion in completions.drain(..) {
                if let Completion::Disk(name, result) = completion {
                    self.completed(name, result);
                }
            }
        }
        let (cpu, device) = consumed();
        Report {
            acknowledged: self.acknowledged,
            elapsed: start.elapsed(),
            latency: self.latency,
            stall: watch.longest,
            cpu_seconds: cpu - cpu_before,
            device_bytes: device - device_before,
        }
    }

    fn admit(&mut self, now: Instant, mut due: Instant) -> Instant {
        if let Some(rate) = self.case.rate {
            let step = per_bytes(self.case.batch_bytes, rate);
            while due <= now && self.has_room() {
                self.append(due);
                due += step;
            }
            due
        } else {
            while self.outstanding < WRITERS && self.has_room() {
                self.append(now);
            }
            now + Duration::from_millis(1)
        }
    }

    fn has_room(&self) -> bool {
        let entry = ENTRY_HEADER.len() + self.case.batch_bytes + 8192;
        let wal_used = self.wal_end - self.wal_start + self.stage.len() as u64;
        let in_stage = self.stage.len() + entry <= self.stage.capacity();
        in_stage && wal_used + 2 * WAL_FILE_BYTES < self.case.wal_bytes
    }

    fn append(&mut self, intended: Instant) {
        self.turn += 1;
        let partition = (self.turn * 7919) % self.case.partitions;
        self.outstanding += 1;
        if self.case.route == Route::Straight {
            self.append_straight(partition, intended);
            return;
        }
        self.stage.extend(&ENTRY_HEADER);
        self.stage.extend(&self.source);
        self.stage_acks.push((intended, self.source.len() as u64));
        let mut rest = 0;
        while rest < self.source.len() {
            let chunk = &mut self.partitions[partition].chunk;
            let part = chunk.remaining().min(self.source.len() - rest);
            chunk.extend(&self.source[rest..rest + part]);
            rest += part;
            let full = chunk.remaining() == 0;
            if self.case.route == Route::PageCache {
                self.hand_over(partition, true);
            }
            if full {
                self.hand_over(partition, false);
                self.next_chunk(partition);
            }
        }
        if !self.partitions[partition].dirty {
            self.partitions[partition].dirty = true;
            self.dirty.push(partition);
        }
    }

    fn append_straight(&mut self, partition: usize, intended: Instant) {
        let mut buffer =
            self.spare_chunks.pop().unwrap_or_else(|| Buffer::with_capacity(self.case.batch_bytes));
        buffer.extend(&self.source);
        let bytes = buffer.range(0..buffer.len());
        let target = &mut self.partitions[partition];
        let (file, position) = (target.file.clone(), target.position);
        target.position += self.case.batch_bytes as u64;
        let name = Name::Straight { partition, intended, bytes: bytes.clone() };
        self.ring.start(name, RingOp::Write { file, position, bytes });
        if self.partitions[partition].position + self.case.batch_bytes as u64 > self.segment_bytes {
            self.roll(partition);
        }
    }

    /// Sends whole blocks (or, for the page cache, every byte) of the chunk to the segment.
    fn hand_over(&mut self, partition: usize, partial: bool) {
        let target = &mut self.partitions[partition];
        let end = if partial { target.chunk.len() } else { target.chunk.len() & !4095 };
        if end <= target.handed {
            return;
        }
        let bytes = target.chunk.range(target.handed..end);
        let position = target.position + target.handed as u64;
        target.handed = end;
        target.writing += 1;
        let file = target.file.clone();
        let name = Name::Segment { partition };
        self.ring.start(name, RingOp::Write { file, position, bytes });
    }

    fn next_chunk(&mut self, partition: usize) {
        let fresh = self.spare_chunks.pop().filter(Buffer::is_unshared);
        let mut fresh = fresh.unwrap_or_else(|| Buffer::with_capacity(self.case.chunk_bytes));
        fresh.clear();
        let target = &mut self.partitions[partition];
        target.position += target.chunk.len() as u64;
        target.handed = 0;
        let full = std::mem::replace(&mut target.chunk, fresh);
        if self.spare_chunks.len() < 512 {
            self.spare_chunks.insert(0, full);
        }
        let chunk = self.case.chunk_bytes as u64;
        if self.partitions[partition].position + chunk > self.segment_bytes {
            self.roll(partition);
        }
    }

    fn roll(&mut self, partition: usize) {
        let direct = self.case.route != Route::PageCache;
        let mode = if direct { OpenMode::Direct } else { OpenMode::Buffered };
        let number = self.partitions[partition].number + 1;
        if self.partitions[partition].next.is_none() {
            self.files.prepare(partition, number, mode, self.segment_bytes);
            while self.partitions[partition].next.is_none() {
                let prepared = self.files.wait_prepared();
                let owner = prepared.partition;
                self.partitions[owner].next = Some(prepared);
            }
        }
        let keep = (SEGMENTS_BYTES / self.segment_bytes / self.case.partitions as u64).max(1);
        let target = &mut self.partitions[partition];
        let next = target.next.take().expect("prepared above");
        let path = std::mem::replace(&mut target.path, next.path);
        let file = std::mem::replace(&mut target.file, next.file);
        target.position = 0;
        target.number = number;
        target.old.push_back((path, file));
        if target.old.len() as u64 > keep
            && let Some((path, _)) = target.old.pop_front()
        {
            self.files.remove(path);
        }
        self.files.prepare(partition, number + 1, mode, self.segment_bytes);
    }

    fn take_prepared(&mut self) {
        while let Some(prepared) = self.files.prepared() {
            let owner = prepared.partition;
            self.partitions[owner].next = Some(prepared);
        }
    }

    fn commit(&mut self) {
        if self.writing_stage.is_some() || self.stage.is_empty() {
            return;
        }
        self.stage.pad_to_block();
        let len = self.stage.len();
        let file_rest = WAL_FILE_BYTES - self.wal_end % WAL_FILE_BYTES;
        if (len as u64) > file_rest {
            self.wal_end += file_rest;
        }
        let index = (self.wal_end / WAL_FILE_BYTES) as usize % self.wal.len();
        let bytes = self.stage.range(0..len);
        self.writing_stage = Some(bytes.clone());
        let position = self.wal_end % WAL_FILE_BYTES;
        let file = self.wal[index].clone();
        self.ring.start(Name::Wal, RingOp::Write { file, position, bytes });
        self.wal_end += len as u64;
        let capacity = self.stage.capacity();
        let spare = self.spare_stage.take();
        self.stage = spare.unwrap_or_else(|| Buffer::with_capacity(capacity));
        std::mem::swap(&mut self.stage_acks, &mut self.writing_acks);
    }

    fn begin_checkpoint(&mut self) {
        if self.case.route == Route::Straight {
            self.wal_start = self.wal_end;
            return;
        }
        let waiting = std::mem::take(&mut self.dirty).into();
        let started_at = self.wal_end;
        self.checkpoint = Some(Checkpoint { started_at, waiting, writing: Vec::new(), syncing: 0 });
    }

    fn continue_checkpoint(&mut self) {
        let Some(mut checkpoint) = self.checkpoint.take() else { return };
        while checkpoint.writing.len() + checkpoint.syncing < SYNCS_AT_ONCE
            && let Some(partition) = checkpoint.waiting.pop_front()
        {
            self.partitions[partition].dirty = false;
            self.hand_over(partition, self.case.route == Route::PageCache);
            checkpoint.writing.push(partition);
        }
        let Checkpoint { writing, syncing, .. } = &mut checkpoint;
        writing.retain(|partition| {
            let Partition { writing: writes, file, .. } = &self.partitions[*partition];
            let written = *writes == 0;
            if written {
                *syncing += 1;
                self.ring.start(Name::CheckpointSync, RingOp::Sync { file: file.clone() });
            }
            !written
        });
        if checkpoint.syncing == 0 && checkpoint.writing.is_empty() && checkpoint.waiting.is_empty()
        {
            self.wal_start = checkpoint.started_at;
        } else {
            self.checkpoint = Some(checkpoint);
        }
    }

    fn read(&mut self) {
        let partition = (self.turn * 31) % self.case.partitions;
        let Some((_, file)) = self.partitions[partition].old.back() else { return };
        let blocks = self.segment_bytes / READ_BYTES as u64;
        let position = (self.turn as u64 % blocks.max(1)) * READ_BYTES as u64;
        self.ring.start(Name::Read, RingOp::Read { file: file.clone(), position, len: READ_BYTES });
    }

    fn completed(&mut self, name: Name, result: DiskResult) {
        let done = result.expect("the disk works");
        match name {
            Name::Wal => self.committed(),
            Name::Segment { partition } => self.partitions[partition].writing -= 1,
            Name::Straight { partition, intended, bytes } => {
                self.spare_chunks.extend(Buffer::reuse(bytes));
                let file = self.partitions[partition].file.clone();
                self.ring.start(Name::StraightSync { intended }, RingOp::Sync { file });
            }
            Name::StraightSync { intended } => {
                self.stage.extend(&ENTRY_HEADER);
                self.stage_acks.push((intended, self.case.batch_bytes as u64));
            }
            Name::CheckpointSync => {
                if let Some(checkpoint) = &mut self.checkpoint {
                    checkpoint.syncing -= 1;
                }
            }
            Name::Read => assert!(matches!(done, DiskDone::Read(_))),
        }
    }

    fn committed(&mut self) {
        self.spare_stage = self.writing_stage.take().and_then(Buffer::reuse);
        for (intended, bytes) in std::mem::take(&mut self.writing_acks) {
            self.acknowledge(intended, bytes);
        }
    }

    fn acknowledge(&mut self, intended: Instant, bytes: u64) {
        self.outstanding -= 1;
        self.acknowledged += bytes;
        let nanos = u64::try_from(intended.elapsed().as_nanos()).unwrap_or(u64::MAX);
        self.latency.record(nanos.max(1)).expect("within the histogram");
    }
}

fn per_bytes(bytes: usize, rate: u64) -> Duration {
    Duration::from_nanos(bytes as u64 * 1_000_000_000 / rate)
}
