//! Compaction of one log: sees the last offset of each key in the part that is dirty, writes the
//! segments again without what is out of date, several as one where they fit, and puts the new ones
//! in place of the old.
//!
//! A machine that wants one thing at a time. Batches are looked into by steps that its driver runs
//! off the core. New segments go through Kafka's names: `.cleaned` while they are written, `.swap`
//! once they are whole and durable. A start removes the first and finishes the second; the old
//! files go in between, so that no moment leaves a record in none or in two.

mod filter;
mod latest_offsets;
mod segments;
mod step;
#[cfg(test)]
mod tests;

use core::time::Duration;
use std::collections::VecDeque;
use std::sync::Arc;

use self::filter::KeepRules;
use self::latest_offsets::LatestOffsets;
use self::segments::{Group, groups};
use self::step::{Output, Task};
use super::segment::{FileKind, INDEXES, SealedSegment, cleaned_name, file_name, swap_name};
use super::{LogSettings, ReadError, SegmentScan};
use crate::io::{
    DiskDone, DiskError, DiskOp, DiskResult, FileHandle, FileName, MemoryRange, OpenMode,
};
use crate::planted::{Bug, planted};
use crate::types::{Map, Offset, Position, ProducerId, Timestamp};

pub use self::step::{CompactionStep, CompactionWork};

/// What is to be compacted, and how.
#[derive(Clone, Debug)]
pub struct CompactionPlan {
    /// The partition's directory.
    pub directory: FileName,
    /// The segments, from the first of the log to the last that may be compacted: base offset, end
    /// offset, bytes.
    pub segments: Vec<(Offset, Offset, Position)>,
    /// What was not seen by a compaction begins here.
    pub first_dirty_offset: Offset,
    /// Memory for the keys, in bytes.
    pub map_bytes_max: usize,
    /// How segments are indexed, and how large they may be.
    pub settings: LogSettings,
    /// When it begins.
    pub now: Timestamp,
    /// `delete.retention.ms`.
    pub delete_retention: Duration,
    /// The last offset of each producer that may still write.
    pub last_of_producers: Map<ProducerId, Offset>,
}

impl CompactionPlan {
    /// Bytes that the device has to have room for: a group's new segment stands beside the old ones.
    pub fn room_needed(&self) -> u64 {
        let sizes = || self.segments.iter().map(|segment| segment.2.get());
        let group = sizes().max().unwrap_or(0).max(self.settings.segment_bytes);
        group.min(sizes().sum())
    }
}

/// Why a log cannot be compacted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CompactionError {
    /// A segment cannot be read.
    Read(ReadError),
    /// The batch at this offset is damaged.
    Damaged(Offset),
    /// The device is full, or too many files are open: nothing has changed.
    Later(DiskError),
    /// The disk failed while segments were written or put in place.
    Disk(DiskError),
}

impl core::fmt::Display for CompactionError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Read(error) => write!(f, "{error}"),
            Self::Damaged(offset) => write!(f, "the batch at offset {offset} cannot be read"),
            Self::Later(error) | Self::Disk(error) => write!(f, "{error}"),
        }
    }
}

/// What a compaction wants next.
#[derive(Debug)]
pub enum CompactionWant {
    /// An answer from the disk: [`Compaction::completed`].
    Disk(DiskOp),
    /// A step of computation: [`Compaction::computed`].
    Step(CompactionStep),
    /// The segments with these base offsets are to be replaced by this one in the log, at once: from
    /// here on the old files go. Call [`Compaction::ask`] again.
    Replace(Vec<Offset>, Box<SealedSegment>),
    /// It is done: all records before this offset have been seen.
    Done(Offset),
}

#[derive(Debug)]
enum Phase {
    /// The dirty segments are read for their keys.
    See,
    /// A group of segments is written again.
    Keep(Keep),
    /// A group's new segment takes its place.
    Place(Placing),
}

#[derive(Debug)]
struct Keep {
    group: Group,
    /// Which of the group's segments is read.
    at: usize,
    file: Option<FileHandle>,
    opened: bool,
    output: Option<Output>,
    unwritten: Option<MemoryRange>,
    written: u64,
}

#[derive(Debug)]
struct Placing {
    group: Group,
    steps: VecDeque<DiskOp>,
    replacement: Option<SealedSegment>,
    replaced: bool,
}

/// A compaction under way.
#[derive(Debug)]
pub struct Compaction {
    plan: CompactionPlan,
    rules: KeepRules,
    phase: Phase,
    scan: Option<SegmentScan>,
    /// The dirty segment that is read for its keys.
    seeing: usize,
    /// Batches read that no step has looked into.
    batches: Option<MemoryRange>,
    latest: Option<Box<LatestOffsets>>,
    /// There is no memory for more keys.
    is_full: bool,
    groups: VecDeque<Group>,
    /// Bytes read and written so far.
    bytes: u64,
}

impl Compaction {
    /// A compaction by this plan.
    pub fn new(plan: CompactionPlan) -> Self {
        let rules = KeepRules {
            now: plan.now,
            delete_retention: plan.delete_retention,
            last_of_producers: Arc::new(plan.last_of_producers.clone()),
        };
        let first = plan.first_dirty_offset;
        let latest = LatestOffsets::new(first, plan.map_bytes_max);
        let seeing = plan.segments.iter().take_while(|segment| segment.1 <= first).count();
        Self {
            plan,
            rules,
            phase: Phase::See,
            scan: None,
            seeing,
            batches: None,
            latest: Some(Box::new(latest)),
            is_full: false,
            groups: VecDeque::new(),
            bytes: 0,
        }
    }

    /// Bytes read and written so far.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    fn scan_of(&self, (base, _, size): (Offset, Offset, Position)) -> SegmentScan {
        let path = self.plan.directory.join(&file_name(base, FileKind::Log));
        SegmentScan::new(path, base, size)
    }

    /// What it wants next, when nothing it wanted is under way.
    pub fn ask(&mut self) -> CompactionWant {
        loop {
            let want = match self.phase {
                Phase::See => self.ask_to_see(),
                Phase::Keep(_) => self.ask_to_keep(),
                Phase::Place(_) => self.ask_to_place(),
            };
            if let Some(want) = want {
                return want;
            }
        }
    }

    fn step(&mut self, task: Task, bytes: MemoryRange) -> CompactionWant {
        let latest = self.latest.take().expect("no other step is under way");
        CompactionWant::Step(CompactionStep { bytes, latest, task })
    }

    fn ask_to_see(&mut self) -> Option<CompactionWant> {
        if let Some(bytes) = self.batches.take() {
            return Some(self.step(Task::See, bytes));
        }
        let segment = self.plan.segments.get(self.seeing).copied();
        let Some(segment) = segment.filter(|_| !self.is_full) else {
            let end = self.latest.as_ref().expect("no step is under way").end();
            self.groups = groups(&self.plan.segments, end, &self.plan.settings);
            self.next_group();
            return None;
        };
        if self.scan.is_none() {
            self.scan = Some(self.scan_of(segment));
        }
        let op = self.scan.as_ref().and_then(SegmentScan::ask);
        if op.is_none() {
            self.scan = None;
            self.seeing += 1;
            // Behind its last batch an earlier compaction may have left nothing.
            self.latest.as_mut().expect("no step is under way").reach(segment.1);
        }
        op.map(CompactionWant::Disk)
    }

    fn next_group(&mut self) {
        self.scan = None;
        // With no group left, the empty one says that it is done.
        let group = self.groups.pop_front().unwrap_or_default();
        self.phase = Phase::Keep(Keep {
            group,
            at: 0,
            file: None,
            opened: false,
            output: Some(Output::default()),
            unwritten: None,
            written: 0,
        });
    }

    fn ask_to_keep(&mut self) -> Option<CompactionWant> {
        let rules = self.rules.clone();
        let Phase::Keep(keep) = &mut self.phase else { unreachable!("it keeps") };
        let Some((base, ..)) = keep.group.first().copied() else {
            let end = self.latest.as_ref().expect("no step is under way").end();
            return Some(CompactionWant::Done(end));
        };
        let Some(file) = keep.file.clone() else {
            let path = self.plan.directory.join(&cleaned_name(base, FileKind::Log));
            let open = DiskOp::Open { path, mode: OpenMode::Buffered, create: true };
            return Some(CompactionWant::Disk(open));
        };
        if !keep.opened {
            // An attempt before this one may have left something.
            return Some(CompactionWant::Disk(DiskOp::SetLength { file, len: 0 }));
        }
        if let Some(bytes) = keep.unwritten.clone() {
            let position = keep.written;
            return Some(CompactionWant::Disk(DiskOp::Write { file, position, bytes }));
        }
        if let Some(bytes) = self.batches.take() {
            let output = keep.output.take().expect("no step is under way");
            let task = Task::Keep { rules, base, settings: self.plan.settings, output };
            return Some(self.step(task, bytes));
        }
        let Some(segment) = keep.group.get(keep.at).copied() else {
            self.begin_placing();
            return None;
        };
        if self.scan.is_none() {
            let scan = self.scan_of(segment);
            self.scan = Some(scan);
        }
        let op = self.scan.as_ref().and_then(SegmentScan::ask);
        if op.is_none() {
            let Phase::Keep(keep) = &mut self.phase else { unreachable!("it keeps") };
            self.scan = None;
            keep.at += 1;
        }
        op.map(CompactionWant::Disk)
    }

    /// All of a group is written: what follows makes it durable and gives it its names.
    fn begin_placing(&mut self) {
        let placeholder = Phase::See;
        let Phase::Keep(keep) = std::mem::replace(&mut self.phase, placeholder) else {
            unreachable!("it keeps")
        };
        let directory = &self.plan.directory;
        let (base, ..) = keep.group[0];
        let (_, end, _) = keep.group[keep.group.len() - 1];
        let output = keep.output.expect("no step is under way");
        let size = Position::new(keep.written);
        let (replacement, indexes) = output.finish(base, end, size);
        let mut steps = VecDeque::new();
        let file = keep.file.expect("written to");
        if !planted(Bug::SwapUnsynced) {
            steps.push_back(DiskOp::Sync { file });
        }
        for (kind, bytes) in INDEXES.into_iter().zip(indexes) {
            let path = directory.join(&cleaned_name(base, kind));
            steps.push_back(DiskOp::WriteFile { path, bytes });
        }
        // Under its new name a start would finish it: whatever may be refused comes before.
        let path = directory.join(&cleaned_name(base, FileKind::Log));
        steps.push_back(DiskOp::Open { path, mode: OpenMode::ReadOnly, create: false });
        // The log file last: its new name says that everything is there.
        for kind in [FileKind::OffsetIndex, FileKind::TimeIndex, FileKind::Log] {
            let from = directory.join(&cleaned_name(base, kind));
            steps.push_back(DiskOp::Rename { from, to: directory.join(&swap_name(base, kind)) });
        }
        steps.push_back(DiskOp::SyncDirectory { path: directory.clone() });
        let replacement = Some(replacement);
        self.phase =
            Phase::Place(Placing { group: keep.group, steps, replacement, replaced: false });
    }

    /// The new segment stands in the log: the old files go, and it takes their name.
    fn steps_after(directory: &FileName, group: &Group) -> VecDeque<DiskOp> {
        let (base, ..) = group[0];
        let mut steps = VecDeque::new();
        let mut remove = |name: String| {
            let path = directory.join(&name);
            steps.push_back(DiskOp::Remove { path });
        };
        // The first log file is replaced by the new one's rename.
        INDEXES.into_iter().for_each(|kind| remove(file_name(base, kind)));
        for (other, ..) in &group[1..] {
            FileKind::ALL.into_iter().for_each(|kind| remove(file_name(*other, kind)));
        }
        steps.push_back(DiskOp::SyncDirectory { path: directory.clone() });
        for kind in [FileKind::OffsetIndex, FileKind::TimeIndex, FileKind::Log] {
            let (from, to) = (swap_name(base, kind), file_name(base, kind));
            let (from, to) = (directory.join(&from), directory.join(&to));
            steps.push_back(DiskOp::Rename { from, to });
        }
        steps.push_back(DiskOp::SyncDirectory { path: directory.clone() });
        steps
    }

    fn ask_to_place(&mut self) -> Option<CompactionWant> {
        let Phase::Place(placing) = &mut self.phase else { unreachable!("it places") };
        if let Some(op) = placing.steps.pop_front() {
            return Some(CompactionWant::Disk(op));
        }
        if placing.replaced {
            self.next_group();
            return None;
        }
        placing.replaced = true;
        placing.steps = Self::steps_after(&self.plan.directory, &placing.group);
        let old = placing.group.iter().map(|segment| segment.0).collect();
        let new = placing.replacement.take().expect("replaced once");
        Some(CompactionWant::Replace(old, Box::new(new)))
    }

    /// Takes the disk's answer.
    ///
    /// # Errors
    /// It cannot go on. With [`CompactionError::Disk`] nobody knows what stands on the disk.
    pub fn completed(&mut self, result: DiskResult) -> Result<(), CompactionError> {
        match &mut self.phase {
            Phase::See => self.scanned(result),
            Phase::Keep(keep)
                if keep.file.is_none() || !keep.opened || keep.unwritten.is_some() =>
            {
                let done = result.map_err(failed)?;
                match done {
                    DiskDone::Opened { file, .. } => keep.file = Some(file),
                    _ if !keep.opened => keep.opened = true,
                    _ => {
                        let bytes = keep.unwritten.take().expect("written");
                        keep.written += bytes.len() as u64;
                        self.bytes += bytes.len() as u64;
                    }
                }
                Ok(())
            }
            Phase::Keep(_) => self.scanned(result),
            Phase::Place(placing) => match result {
                Ok(DiskDone::Opened { file, .. }) => {
                    let replacement = placing.replacement.as_mut().expect("not in place yet");
                    replacement.file = Some(file);
                    Ok(())
                }
                Ok(_) => Ok(()),
                Err(DiskError::NotFound) if placing.replaced => Ok(()),
                // The last step before that makes the log file's new name durable: without an
                // answer nobody knows whether a start would find it.
                Err(error) if placing.replaced || placing.steps.is_empty() => {
                    Err(CompactionError::Disk(error))
                }
                Err(error) => Err(failed(error)),
            },
        }
    }

    fn scanned(&mut self, result: DiskResult) -> Result<(), CompactionError> {
        let scan = self.scan.as_mut().expect("it asked");
        self.batches = scan.completed(result).map_err(|error| match error {
            ReadError::Disk(error @ DiskError::TooManyOpenFiles) => CompactionError::Later(error),
            error => CompactionError::Read(error),
        })?;
        self.bytes += self.batches.as_ref().map_or(0, |bytes| bytes.len() as u64);
        Ok(())
    }

    /// Takes the result of a step.
    ///
    /// # Errors
    /// A batch is damaged.
    pub fn computed(&mut self, work: CompactionWork) -> Result<(), CompactionError> {
        let CompactionWork { latest, result } = work;
        self.latest = Some(latest);
        match result? {
            step::Brought::Seen { all } => self.is_full = !all,
            step::Brought::Kept { bytes, output } => {
                let Phase::Keep(keep) = &mut self.phase else { unreachable!("it keeps") };
                keep.output = Some(output);
                keep.unwritten = (!bytes.is_empty()).then_some(bytes);
            }
        }
        Ok(())
    }

    /// The files that an attempt which cannot go on leaves.
    pub fn leftovers(&self) -> Vec<FileName> {
        let group = match &self.phase {
            Phase::See => return Vec::new(),
            Phase::Keep(keep) => &keep.group,
            Phase::Place(placing) => &placing.group,
        };
        let Some((base, ..)) = group.first() else { return Vec::new() };
        let cleaned = [FileKind::OffsetIndex, FileKind::TimeIndex, FileKind::Log]
            .map(|kind| cleaned_name(*base, kind));
        let renamed = INDEXES.map(|kind| swap_name(*base, kind));
        cleaned.iter().chain(&renamed).map(|name| self.plan.directory.join(name)).collect()
    }
}

/// What a disk's refusal means while nothing has changed yet.
fn failed(error: DiskError) -> CompactionError {
    match error {
        DiskError::Full | DiskError::TooManyOpenFiles => CompactionError::Later(error),
        error => CompactionError::Disk(error),
    }
}
