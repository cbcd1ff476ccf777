//! Gets the bytes of one segment from the tail into its file: open, reserve, write whole blocks,
//! sync. Several writes may be under way; what counts is the unbroken part from the front.

use std::collections::VecDeque;

use super::segment::{FileKind, file_name};
use super::tail::Tail;
use super::token::{Step, Token};
use crate::io::{
    BLOCK_BYTES, DiskDone, DiskError, DiskOp, DiskQueue, DiskResult, FileHandle, FileName,
    OpenMode, round_down_to_block, round_up_to_block,
};
use crate::planted::{Bug, planted};
use crate::types::{Offset, Position};

/// Writes of one segment at the same time.
const WRITES_MAX: usize = 4;
/// The first reservation of a segment's space; later ones double up to the largest.
const RESERVATION_BYTES_MIN: u64 = 64 << 10;
const RESERVATION_BYTES_MAX: u64 = 64 << 20;

#[derive(Debug)]
enum FileState {
    /// Nothing is known of the file yet.
    Closed,
    /// A request is under way that everything else waits for.
    Preparing,
    Open(FileHandle),
}

#[derive(Clone, Copy, Debug)]
struct InFlight {
    number: u16,
    end: u64,
    done: bool,
}

/// How far the file must get, asked for by a checkpoint or a roll.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Goal {
    /// Full chunks only.
    Chunks,
    /// Everything before this whole block, and durable.
    Durable(u64),
}

#[derive(Debug)]
pub(super) struct SegmentWriter {
    pub(super) base_offset: Offset,
    serial: u16,
    file: FileState,
    pending: Option<FileHandle>,
    allocated: u64,
    reserving: Option<u64>,
    /// The device was full at the last reservation.
    starved: bool,
    /// A reservation takes no more: on a device that was full, others need the rest.
    step_max: u64,
    submitted: u64,
    in_flight: VecDeque<InFlight>,
    next_write: u16,
    written: u64,
    syncing: Option<u64>,
    synced: u64,
    goal: Goal,
    /// The exact length that the file has when it is opened; more is not believed.
    kept: u64,
    /// Nothing is written while this is set: see [`SegmentWriter::hold`].
    held: bool,
    /// The file's name is durable once the directory's names up to this count are.
    named_at: Option<u32>,
}

impl SegmentWriter {
    /// A writer for the segment at `base_offset`, of whose file the bytes before `synced` are kept.
    pub(super) fn new(base_offset: Offset, serial: u16, synced: u64) -> Self {
        let whole = round_down_to_block(synced);
        Self {
            base_offset,
            serial,
            file: FileState::Closed,
            pending: None,
            // What is on disk needs no room.
            allocated: whole,
            reserving: None,
            starved: false,
            step_max: RESERVATION_BYTES_MAX,
            submitted: whole,
            in_flight: VecDeque::new(),
            next_write: 0,
            written: whole,
            syncing: None,
            synced,
            goal: Goal::Chunks,
            kept: synced,
            held: false,
            named_at: None,
        }
    }

    /// The block that a clean stop left half full is about to be written again. Its bytes are
    /// durable only there until the write-ahead log has them too: [`SegmentWriter::release`].
    pub(super) fn hold(&mut self) {
        self.held = true;
        self.synced = round_down_to_block(self.synced);
    }

    /// The write-ahead log has what [`SegmentWriter::hold`] waited for.
    pub(super) fn release(&mut self) {
        self.held = false;
    }

    /// Notes the count of names under which the file came into being.
    pub(super) fn set_named_at(&mut self, count: u32) {
        self.named_at.get_or_insert(count);
    }

    /// The count of names that must be durable before the file counts as there.
    pub(super) fn named_at(&self) -> Option<u32> {
        self.named_at
    }

    /// Tells this writer's requests from others'.
    pub(super) fn serial(&self) -> u16 {
        self.serial
    }

    /// The bytes that are durable in the file.
    pub(super) fn synced(&self) -> u64 {
        if planted(Bug::CountUnsynced) { self.written } else { self.synced }
    }

    /// The bytes for which the file system has promised room.
    pub(super) fn allocated(&self) -> u64 {
        self.allocated
    }

    pub(super) fn is_starved(&self) -> bool {
        self.starved
    }

    /// The file, for reading what is no longer in memory.
    pub(super) fn file(&self) -> Option<&FileHandle> {
        match &self.file {
            FileState::Open(file) => Some(file),
            _ => None,
        }
    }

    pub(super) fn set_goal(&mut self, goal: Goal) {
        self.goal = goal;
    }

    pub(super) fn reached_goal(&self) -> bool {
        match self.goal {
            Goal::Chunks => true,
            Goal::Durable(end) => self.synced >= end,
        }
    }

    /// Whether no request of this writer is under way.
    pub(super) fn is_quiet(&self) -> bool {
        self.in_flight.is_empty()
            && self.syncing.is_none()
            && self.reserving.is_none()
            && !matches!(self.file, FileState::Preparing)
    }

    fn token(&self, step: Step) -> u32 {
        Token { step, serial: self.serial, number: 0 }.encode()
    }

    /// Asks for everything that can be done now. `end` is the segment's end in the tail.
    pub(super) fn pump(
        &mut self,
        directory: &FileName,
        tail: &Tail,
        end: u64,
        queue: &mut DiskQueue<'_>,
    ) {
        let full = tail.full_chunks_end(self.base_offset).map_or(0, Position::get);
        let target = match self.goal {
            Goal::Chunks => full,
            Goal::Durable(goal) => goal.max(full),
        };
        if self.held || (self.submitted >= target && self.reached_goal()) {
            return;
        }
        match &self.file {
            FileState::Closed if self.starved => {}
            FileState::Closed => self.open(directory, queue),
            FileState::Preparing => {}
            FileState::Open(file) => {
                let file = file.clone();
                self.reserve(&file, target.max(end), queue);
                self.write(&file, tail, target, queue);
                self.sync(&file, queue);
            }
        }
    }

    /// Reserves space behind `end`, whatever there is to write.
    pub(super) fn reserve_ahead(
        &mut self,
        directory: &FileName,
        end: u64,
        queue: &mut DiskQueue<'_>,
    ) {
        self.open(directory, queue);
        if let FileState::Open(file) = &self.file {
            let file = file.clone();
            self.reserve(&file, end, queue);
        }
    }

    fn reserve(&mut self, file: &FileHandle, end: u64, queue: &mut DiskQueue<'_>) {
        let step = self.allocated.clamp(RESERVATION_BYTES_MIN, self.step_max);
        let ahead = self.allocated.saturating_sub(end);
        if self.reserving.is_some() || self.starved || ahead > step / 2 {
            return;
        }
        let target = round_up_to_block((self.allocated + step).max(end + step / 2));
        self.reserving = Some(target);
        let (position, len) = (self.allocated, target - self.allocated);
        let allocate = DiskOp::Allocate { file: file.clone(), position, len };
        queue.push(self.token(Step::Reserve), allocate);
    }

    fn write(&mut self, file: &FileHandle, tail: &Tail, target: u64, queue: &mut DiskQueue<'_>) {
        let target = target.min(self.allocated);
        while self.submitted < target && self.in_flight.len() < WRITES_MAX {
            let position = Position::new(self.submitted);
            let mut ranges = tail.ranges_from(self.base_offset, position, target - self.submitted);
            let bytes = ranges.next().expect("unwritten bytes stay in the tail");
            assert!(bytes.len().is_multiple_of(BLOCK_BYTES), "only whole blocks are written");
            let number = self.next_write;
            self.next_write = number.wrapping_add(1) & Token::NUMBER_MAX;
            let token = Token { step: Step::Write, serial: self.serial, number };
            self.submitted += bytes.len() as u64;
            self.in_flight.push_back(InFlight { number, end: self.submitted, done: false });
            let position = position.get();
            queue.push(token.encode(), DiskOp::Write { file: file.clone(), position, bytes });
        }
    }

    fn sync(&mut self, file: &FileHandle, queue: &mut DiskQueue<'_>) {
        let Goal::Durable(goal) = self.goal else { return };
        if self.syncing.is_none() && self.written >= goal && self.synced < goal {
            self.syncing = Some(self.written);
            queue.push(self.token(Step::Sync), DiskOp::Sync { file: file.clone() });
        }
    }

    /// Takes an answer.
    ///
    /// # Errors
    /// The disk failed in a way that nothing may be acknowledged after. A full device at a
    /// reservation is no such failure: see [`SegmentWriter::retry`].
    pub(super) fn completed(
        &mut self,
        token: Token,
        result: DiskResult,
        queue: &mut DiskQueue<'_>,
    ) -> Result<(), DiskError> {
        match (token.step, result) {
            (Step::Reserve, Err(DiskError::Full)) => {
                self.reserving = None;
                self.starved = true;
                self.step_max = RESERVATION_BYTES_MIN;
            }
            (Step::Open, Err(DiskError::Full)) => {
                self.file = FileState::Closed;
                self.starved = true;
            }
            (_, Err(error)) => return Err(error),
            (Step::Open, Ok(DiskDone::Opened { file, len })) => {
                // Bytes behind what is known to be durable are never believed: they are cut off
                // and written again.
                let kept = self.kept;
                if len > kept {
                    let cut = DiskOp::SetLength { file: file.clone(), len: kept };
                    queue.push(self.token(Step::Cut), cut);
                    self.pending = Some(file);
                } else {
                    assert_eq!(len, kept, "a segment lost bytes that were synced");
                    self.opened(file);
                }
            }
            (Step::Cut, Ok(_)) => {
                let file = self.pending.take().expect("opened before it was cut");
                self.opened(file);
            }
            (Step::Reserve, Ok(_)) => {
                self.allocated = self.reserving.take().expect("asked for");
                self.step_max = (2 * self.step_max).min(RESERVATION_BYTES_MAX);
            }
            (Step::Write, Ok(_)) => {
                let write = self.in_flight.iter_mut().find(|write| write.number == token.number);
                write.expect("asked for").done = true;
                while let Some(first) = self.in_flight.front().filter(|write| write.done) {
                    self.written = first.end;
                    self.in_flight.pop_front();
                }
            }
            (Step::Sync, Ok(_)) => self.synced = self.syncing.take().expect("asked for"),
            (step, Ok(done)) => unreachable!("{step:?} was answered by {done:?}"),
        }
        Ok(())
    }

    fn opened(&mut self, file: FileHandle) {
        self.allocated = round_down_to_block(self.kept);
        self.file = FileState::Open(file);
    }

    /// Tries to reserve again after the device was full.
    pub(super) fn retry(&mut self) {
        self.starved = false;
    }

    /// Opens the file for a reader, if it is closed.
    pub(super) fn open(&mut self, directory: &FileName, queue: &mut DiskQueue<'_>) {
        if matches!(self.file, FileState::Closed) {
            let path = directory.join(&file_name(self.base_offset, FileKind::Log));
            let open = DiskOp::Open { path, mode: OpenMode::Direct, create: true };
            queue.push(self.token(Step::Open), open);
            self.file = FileState::Preparing;
        }
    }

    /// Closes the file if nothing unsynced could be lost by that.
    pub(super) fn close_if_clean(&mut self) {
        if self.is_quiet() && self.synced >= self.submitted {
            self.file = FileState::Closed;
            self.kept = self.synced;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::{AnsweringDisk, DiskRequest};

    /// Opens the segment's file and reserves behind `end`; the bytes reserved.
    fn reserve(writer: &mut SegmentWriter, disk: &mut AnsweringDisk, full: bool) -> Option<u64> {
        let mut requests = Vec::new();
        let directory = FileName::new("t-0");
        for _ in 0..2 {
            let end = writer.allocated();
            writer.reserve_ahead(&directory, end, &mut DiskQueue::new(0, &mut requests));
            let DiskRequest { token, op, .. } = requests.pop()?;
            let reserved = if let DiskOp::Allocate { len, .. } = &op { Some(*len) } else { None };
            let full = full && reserved.is_some();
            let answer = if full { Err(DiskError::Full) } else { disk.answer(op) };
            let mut queue = DiskQueue::new(0, &mut requests);
            writer.completed(Token::decode(token), answer, &mut queue).unwrap();
            if reserved.is_some() {
                return reserved;
            }
        }
        None
    }

    #[test]
    fn a_reservation_that_found_no_space_is_tried_again_with_little() {
        let mut disk = AnsweringDisk::new(1 << 40);
        let mut writer = SegmentWriter::new(Offset::ZERO, 0, 0);
        while writer.allocated() < 2 * RESERVATION_BYTES_MAX {
            reserve(&mut writer, &mut disk, false).unwrap();
        }
        assert!(reserve(&mut writer, &mut disk, true) >= Some(RESERVATION_BYTES_MAX));
        assert!(writer.is_starved() && reserve(&mut writer, &mut disk, false).is_none());
        writer.retry();
        let reserved = [0; 3].map(|_| reserve(&mut writer, &mut disk, false).unwrap());
        assert!(reserved[0] <= 2 * RESERVATION_BYTES_MIN, "{reserved:?}");
        assert!(reserved.is_sorted() && reserved[0] < reserved[2], "{reserved:?}");
    }

    #[test]
    fn what_an_earlier_life_brought_to_disk_needs_no_room() {
        let writer = SegmentWriter::new(Offset::ZERO, 0, 10_000);
        assert_eq!(writer.allocated(), 8192);
    }
}
