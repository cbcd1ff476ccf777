//! Reads and searches that had to ask the disk, and what they loaded for others to share.

use std::collections::VecDeque;

use slab::Slab;

use super::{Owner, Reply, Store, StoreEvent};
use crate::io::{DiskDone, DiskQueue, DiskResult, MemoryRange};
use crate::log::{
    FoundBatch, Load, LoadRequest, Log, Parts, Read, ReadError, ReadLimits, ReadStep,
    TimestampSearch, TimestampTarget,
};
use crate::types::{Offset, Position, TopicPartition};

/// Reads that ask the disk at the same time; others wait for their turn.
const READS_MAX: usize = 32;
/// Pieces of active segments kept for other readers.
const WINDOWS_MAX: usize = 16;
/// Sealed segments whose file and indexes are kept at hand.
const SEGMENTS_MAX: usize = 1024;

/// What a read brought.
#[derive(Debug)]
pub enum ReadDone {
    /// A part of the log.
    Parts(Parts),
    /// The batch that holds the timestamp, if there is one.
    Found(Option<FoundBatch>),
}

/// The answer to a read.
pub type ReadAnswer = Result<ReadDone, ReadFailure>;

/// Why a read failed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ReadFailure {
    /// The partition or segment is gone.
    Gone,
    /// The segment cannot be read or is damaged.
    Segment(ReadError),
}

/// What became of a read.
#[derive(Debug)]
pub enum ReadOutcome {
    /// The answer is here.
    Done(ReadAnswer),
    /// [`StoreEvent::Read`] follows.
    Pending,
}

#[derive(Debug)]
enum Kind {
    Read(Read),
    Search(TimestampSearch),
}

impl Kind {
    fn step(&mut self, log: &Log) -> Result<ReadStep<ReadDone>, ReadError> {
        Ok(match self {
            Self::Read(read) => match read.step(log)? {
                ReadStep::Done(parts) => ReadStep::Done(ReadDone::Parts(parts)),
                ReadStep::Load(load) => ReadStep::Load(load),
            },
            Self::Search(search) => match search.step(log)? {
                ReadStep::Done(found) => ReadStep::Done(ReadDone::Found(found)),
                ReadStep::Load(load) => ReadStep::Load(load),
            },
        })
    }

    fn loaded(&mut self, load: Load, bytes: MemoryRange) {
        match self {
            Self::Read(read) => read.loaded(load, bytes),
            Self::Search(search) => search.loaded(load, bytes),
        }
    }
}

#[derive(Debug)]
struct Job {
    slot: u32,
    id: TopicPartition,
    kind: Kind,
    reply: Reply,
    waits_for: Option<Load>,
    /// The log's files as they were when that was asked for.
    layout: u64,
}

/// A piece of an active segment.
#[derive(Debug)]
struct SharedWindow {
    slot: u32,
    segment_base_offset: Offset,
    position: Position,
    bytes: MemoryRange,
}

#[derive(Debug, Default)]
pub(super) struct Reading {
    jobs: Slab<Job>,
    queued: VecDeque<u32>,
    at_disk: usize,
    /// Jobs that wait for a log to open its file.
    at_logs: Vec<u32>,
    windows: VecDeque<SharedWindow>,
    segments: VecDeque<(u32, Offset)>,
}

impl Reading {
    fn window(&self, slot: u32, load: Load) -> Option<MemoryRange> {
        let Load::Bytes { segment_base_offset, position, len } = load else { return None };
        let end = position.get() + len as u64;
        let holds = |window: &&SharedWindow| {
            (window.slot, window.segment_base_offset) == (slot, segment_base_offset)
                && window.position <= position
                && end <= window.position.get() + window.bytes.len() as u64
        };
        let window = self.windows.iter().find(holds)?;
        let from = usize::try_from(position.get() - window.position.get()).ok()?;
        Some(window.bytes.slice(from..from + len))
    }
}

impl Store {
    /// Reads a part of the log of `slot`.
    pub fn read(&mut self, slot: u32, limits: ReadLimits, reply: Reply) -> ReadOutcome {
        self.start_job(slot, Kind::Read(Read::new(limits)), reply)
    }

    /// Looks for a timestamp in the log of `slot`.
    pub fn search(&mut self, slot: u32, target: TimestampTarget, reply: Reply) -> ReadOutcome {
        self.start_job(slot, Kind::Search(TimestampSearch::new(target)), reply)
    }

    fn start_job(&mut self, slot: u32, mut kind: Kind, reply: Reply) -> ReadOutcome {
        let log = &self.partitions[slot as usize].log;
        match kind.step(log) {
            Ok(ReadStep::Done(done)) => return ReadOutcome::Done(Ok(done)),
            Err(error) => return ReadOutcome::Done(Err(ReadFailure::Segment(error))),
            Ok(ReadStep::Load(_)) => {}
        }
        let id = self.partitions[slot as usize].id;
        let job = Job { slot, id, kind, reply, waits_for: None, layout: 0 };
        let key = u32::try_from(self.reading.jobs.insert(job)).expect("bounded by connections");
        self.reading.queued.push_back(key);
        self.run_queued();
        ReadOutcome::Pending
    }

    fn run_queued(&mut self) {
        while self.reading.at_disk < READS_MAX
            && let Some(key) = self.reading.queued.pop_front()
        {
            if let Some(answer) = self.run(key) {
                let job = self.reading.jobs.remove(key as usize);
                self.events.push(StoreEvent::Read(job.reply, job.id, answer));
            }
        }
    }

    /// Runs a job until it is done or waits for the disk.
    fn run(&mut self, key: u32) -> Option<ReadAnswer> {
        loop {
            let job = &mut self.reading.jobs[key as usize];
            let slot = job.slot;
            // The slot may have gone to another partition meanwhile.
            let found = self.partitions.get_mut(slot as usize);
            let Some(partition) = found.filter(|partition| partition.id == job.id) else {
                return Some(Err(ReadFailure::Gone));
            };
            let load = match job.kind.step(&partition.log) {
                Ok(ReadStep::Done(done)) => return Some(Ok(done)),
                Err(error) => return Some(Err(ReadFailure::Segment(error))),
                Ok(ReadStep::Load(load)) => load,
            };
            if let Some(bytes) = self.reading.window(slot, load) {
                self.reading.jobs[key as usize].kind.loaded(load, bytes);
                continue;
            }
            let mut queue = DiskQueue::new(Owner::Log(slot).encode(), &mut self.requests);
            match partition.log.load(load, &mut queue) {
                LoadRequest::Ask(op) => {
                    let job = &mut self.reading.jobs[key as usize];
                    (job.waits_for, job.layout) = (Some(load), partition.log.layout());
                    self.reading.at_disk += 1;
                    DiskQueue::new(Owner::Read(key).encode(), &mut self.requests).push(0, op);
                    return None;
                }
                LoadRequest::OnItsWay => {
                    self.reading.jobs[key as usize].waits_for = Some(load);
                    self.reading.at_logs.push(key);
                    return None;
                }
                LoadRequest::Gone => return Some(Err(ReadFailure::Gone)),
            }
        }
    }

    pub(super) fn read_completed(&mut self, key: u32, result: DiskResult) {
        self.reading.at_disk -= 1;
        let (slot, id) = (self.reading.jobs[key as usize].slot, self.reading.jobs[key as usize].id);
        if self.slot(id) != Some(slot) {
            // The partition is gone, and the slot may be another's by now.
            let job = self.reading.jobs.remove(key as usize);
            self.events.push(StoreEvent::Read(job.reply, job.id, Err(ReadFailure::Gone)));
            return self.run_queued();
        }
        let job = &mut self.reading.jobs[key as usize];
        let load = job.waits_for.take().expect("a load was under way");
        let slot = job.slot;
        if job.layout != self.partitions[slot as usize].log.layout() {
            // It may be of files that are no longer the log's: the job begins again.
            self.reading.queued.push_front(key);
            return self.run_queued();
        }
        let failed = match (load, result) {
            (Load::Bytes { segment_base_offset, position, .. }, Ok(DiskDone::Read(bytes))) => {
                job.kind.loaded(load, bytes.clone());
                self.share(SharedWindow { slot, segment_base_offset, position, bytes });
                None
            }
            (Load::Bytes { .. }, Err(error)) => Some(ReadError::Disk(error)),
            (load, result) => match self.partitions.get_mut(slot as usize) {
                Some(partition) => {
                    let failed = partition.log.loaded(load, result).err();
                    self.remember(slot, load);
                    failed
                }
                None => None,
            },
        };
        if let Some(error) = failed {
            let job = self.reading.jobs.remove(key as usize);
            let failure = ReadFailure::Segment(error);
            self.events.push(StoreEvent::Read(job.reply, job.id, Err(failure)));
        } else {
            self.reading.queued.push_front(key);
        }
        self.run_queued();
    }

    fn share(&mut self, window: SharedWindow) {
        let is_sealed = self
            .partitions
            .get(window.slot as usize)
            .is_none_or(|partition| partition.log.is_sealed(window.segment_base_offset));
        if is_sealed {
            return;
        }
        if self.reading.windows.len() == WINDOWS_MAX {
            self.reading.windows.pop_front();
        }
        self.reading.windows.push_back(window);
    }

    /// Keeps count of the segments that hold indexes and files, and lets the oldest go.
    pub(super) fn remember(&mut self, slot: u32, load: Load) {
        let (Load::Offsets(base) | Load::Times(base) | Load::File(base)) = load else { return };
        if !self.reading.segments.contains(&(slot, base)) {
            self.reading.segments.push_back((slot, base));
        }
        if self.reading.segments.len() > SEGMENTS_MAX
            && let Some((slot, base)) = self.reading.segments.pop_front()
            && let Some(partition) = self.partitions.get_mut(slot as usize)
        {
            partition.log.unload(base);
        }
    }

    /// A request of the log in `slot` has ended: reads may have waited for that.
    pub(super) fn resume_reads_of(&mut self, slot: u32) {
        if self.reading.at_logs.is_empty() {
            return;
        }
        let jobs = &mut self.reading.jobs;
        let queued = &mut self.reading.queued;
        self.reading.at_logs.retain(|key| {
            let job = &mut jobs[*key as usize];
            let waits = job.slot != slot;
            if !waits {
                job.waits_for = None;
                queued.push_back(*key);
            }
            waits
        });
        self.run_queued();
    }

    /// What was read of the segments in `slot` may stand elsewhere by now.
    pub(super) fn forget_windows_of(&mut self, slot: u32) {
        self.reading.windows.retain(|window| window.slot != slot);
    }

    /// The partition in `slot` is gone.
    pub(super) fn forget_reads_of(&mut self, slot: u32) {
        self.forget_windows_of(slot);
        self.reading.segments.retain(|segment| segment.0 != slot);
        self.resume_reads_of(slot);
    }
}
