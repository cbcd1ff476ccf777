//! The files of one WAL: prepared with zeros, used front to back, recycled as a whole.

use std::collections::VecDeque;

use super::WalLimits;
use super::token::{Token, TokenKind};
use crate::io::{
    BLOCK_BYTES, Buffer, DiskDone, DiskError, DiskOp, DiskQueue, DiskResult, FileHandle, FileName,
    MemoryRange, OpenMode,
};
use crate::planted::{Bug, planted};
use crate::types::Lsn;

/// Each file is this much larger than the one before, up to the largest.
const GROWTH: u64 = 4;
/// How much is zeroed by one write at most.
const ZEROS_BYTES_MAX: u64 = 1 << 20;
/// A file takes this part of what the device can spare at most, so that the log never fills it.
const SPARE_SHARE: u64 = 4;
/// Free files to have at hand: one for the next appends, one that only carried blocks and metadata
/// may take, because they are what makes room again.
const FREE_FILES_WANTED: usize = 2;

/// A file on disk, zeroed to its full length.
#[derive(Debug)]
struct Slot {
    file: FileHandle,
    bytes: u64,
}

/// A file in use.
#[derive(Debug)]
struct Live {
    generation: u64,
    slot: u32,
    /// Where the next sealed commit goes.
    end: u64,
    /// Bytes that commits still being filled may take behind `end`.
    reserved: u64,
}

/// A file being made.
#[derive(Debug)]
struct Preparing {
    slot: u32,
    bytes: u64,
    written: u64,
    file: Option<FileHandle>,
}

/// A place for one commit.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Place {
    pub(super) generation: u64,
    /// The commit is the file's first: block 0 goes with it.
    pub(super) starts_file: bool,
    reserved: u64,
}

/// Who may take the last free file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Urgency {
    /// Appends of clients: they wait.
    Ordinary,
    /// What makes room again or must not wait for it: carried blocks, metadata, log starts.
    MakesRoom,
}

#[derive(Debug)]
pub(super) struct Files {
    directory: FileName,
    limits: WalLimits,
    slots: Vec<Option<Slot>>,
    free: VecDeque<u32>,
    live: VecDeque<Live>,
    preparing: Option<Preparing>,
    /// The device had too little for another file; a new attempt waits for [`Files::prepare`].
    starved: bool,
    /// Bytes of the device that files to come may take together.
    spare: u64,
    /// Bytes of earlier lives' logs that a start would have to replay beside this one.
    earlier_bytes: u64,
    /// A half-made file is being removed; its name is taken until then.
    removing: bool,
    next_generation: u64,
    zeros: MemoryRange,
}

impl Files {
    pub(super) fn new(directory: FileName, limits: &WalLimits) -> Self {
        let zeros_bytes = ZEROS_BYTES_MAX.min(limits.first_file_bytes) as usize;
        let mut zeros = Buffer::with_capacity(zeros_bytes);
        zeros.extend_zeros(zeros_bytes);
        Self {
            directory,
            limits: *limits,
            slots: Vec::new(),
            free: VecDeque::new(),
            live: VecDeque::new(),
            preparing: None,
            starved: false,
            // Until somebody has looked at the device, the attempt shows it.
            spare: u64::MAX,
            earlier_bytes: 0,
            removing: false,
            next_generation: 1,
            zeros: zeros.range(0..zeros_bytes),
        }
    }

    /// Bytes on disk, whatever they are used for.
    pub(super) fn total_bytes(&self) -> u64 {
        self.slots.iter().flatten().map(|slot| slot.bytes).sum()
    }

    /// Bytes of the files that replay would have to read.
    pub(super) fn live_bytes(&self) -> u64 {
        self.live.iter().map(|live| live.end).sum()
    }

    /// Bytes that appends may still take before something must be recycled.
    pub(super) fn free_bytes(&self) -> u64 {
        let current = self.live.back().map_or(0, |live| self.bytes_left(live));
        current + self.free.iter().map(|slot| self.slot(*slot).bytes).sum::<u64>()
    }

    pub(super) fn oldest_generation(&self) -> u64 {
        self.live.front().map_or(self.next_generation, |live| live.generation)
    }

    pub(super) fn newest_generation(&self) -> u64 {
        self.live.back().map_or(self.next_generation, |live| live.generation)
    }

    /// Whether old files should become free: few are, or none that holds a commit of `wanted` bytes.
    pub(super) fn wants_files(&self, wanted: u64) -> bool {
        self.free.len() < FREE_FILES_WANTED || self.free_slot(wanted, Urgency::Ordinary).is_none()
    }

    pub(super) fn is_starved(&self) -> bool {
        self.starved
    }

    pub(super) fn has_files(&self) -> bool {
        !self.live.is_empty() || !self.free.is_empty()
    }

    fn slot(&self, slot: u32) -> &Slot {
        self.slots[slot as usize].as_ref().expect("free and live slots are prepared")
    }

    fn bytes_left(&self, live: &Live) -> u64 {
        self.slot(live.slot).bytes - live.end - live.reserved
    }

    fn free_slot(&self, bytes: u64, urgency: Urgency) -> Option<usize> {
        let kept = if urgency == Urgency::Ordinary { FREE_FILES_WANTED - 1 } else { 0 };
        if self.free.len() <= kept {
            return None;
        }
        let needed = bytes + BLOCK_BYTES as u64;
        self.free.iter().position(|slot| self.slot(*slot).bytes >= needed)
    }

    /// Whether a commit of at most `bytes` (whole blocks) has a place.
    pub(super) fn has_place(&self, bytes: u64, urgency: Urgency) -> bool {
        if urgency == Urgency::Ordinary && self.waits_for_earlier(bytes) {
            return false;
        }
        self.live.back().is_some_and(|live| self.bytes_left(live) >= bytes)
            || self.free_slot(bytes, urgency).is_some()
    }

    /// Whether `bytes` more, together with what earlier lives left, are above the cap: lives that end
    /// one soon after the other would leave a start more and more to replay.
    fn waits_for_earlier(&self, bytes: u64) -> bool {
        let reserved: u64 = self.live.iter().map(|live| live.reserved).sum();
        let taken = self.earlier_bytes + self.live_bytes() + reserved;
        self.earlier_bytes > 0 && taken + bytes > self.limits.bytes_max
    }

    pub(super) fn set_earlier_bytes(&mut self, bytes: u64) {
        self.earlier_bytes = bytes;
    }

    /// Reserves a place for a commit of at most `bytes`, behind all reserved before.
    pub(super) fn reserve(&mut self, bytes: u64, urgency: Urgency) -> Option<Place> {
        assert!(bytes.is_multiple_of(BLOCK_BYTES as u64));
        let fits = self.live.back().is_some_and(|live| self.bytes_left(live) >= bytes);
        let mut starts_file = false;
        if !fits {
            let index = self.free_slot(bytes, urgency)?;
            let slot = self.free.remove(index).expect("just found");
            let generation = self.next_generation;
            self.next_generation += 1;
            self.live.push_back(Live { generation, slot, end: 0, reserved: 0 });
            starts_file = true;
        }
        let live = self.live.back_mut().expect("checked or pushed");
        let reserved = if starts_file { bytes + BLOCK_BYTES as u64 } else { bytes };
        live.reserved += reserved;
        Some(Place { generation: live.generation, starts_file, reserved })
    }

    /// Turns a reservation into `bytes` at a position of a file.
    pub(super) fn seal(&mut self, place: Place, bytes: u64) -> (FileHandle, u64) {
        assert!(bytes <= place.reserved);
        let oldest = self.oldest_generation();
        let index = usize::try_from(place.generation - oldest).expect("a live generation");
        let live = &mut self.live[index];
        assert_eq!(live.generation, place.generation);
        let position = live.end;
        assert_eq!(position == 0, place.starts_file);
        live.end += bytes;
        live.reserved -= place.reserved;
        let slot = live.slot;
        (self.slot(slot).file.clone(), position)
    }

    /// The full length of the file that a generation is written to, for its header.
    pub(super) fn file_bytes(&self, generation: u64) -> u64 {
        let index = usize::try_from(generation - self.oldest_generation()).expect("live");
        self.slot(self.live[index].slot).bytes
    }

    /// Frees every file whose generation is below `generation`. The newest stays. Returns whether
    /// there was any.
    pub(super) fn recycle(&mut self, generation: u64) -> bool {
        let free = self.free.len();
        while self.live.len() > 1 {
            let oldest = self.live.front().expect("more than one");
            let kept = generation + u64::from(planted(Bug::RecycleOffByOne));
            if oldest.generation >= kept || oldest.reserved > 0 {
                break;
            }
            self.free.push_back(oldest.slot);
            self.live.pop_front();
        }
        self.free.len() > free
    }

    /// Notes what the device can spare: what the file being made has yet to take is taken.
    pub(super) fn set_spare(&mut self, bytes: u64) {
        let left =
            self.preparing.as_ref().map_or(0, |made| made.bytes.saturating_sub(made.written));
        self.spare = bytes.saturating_sub(left);
    }

    /// Begins another file when few are free and the cap allows it, or when fewer than two could
    /// hold a commit of `wanted` bytes: the newest file is recycled only when another follows it, so
    /// such commits need two to follow each other.
    pub(super) fn prepare(&mut self, wanted: u64, queue: &mut DiskQueue<'_>) {
        self.starved = false;
        self.prepare_more(wanted, queue);
    }

    pub(super) fn prepare_more(&mut self, wanted: u64, queue: &mut DiskQueue<'_>) {
        if self.preparing.is_some() || self.starved || self.removing {
            return;
        }
        let needed = wanted + BLOCK_BYTES as u64;
        let holds = |slot: &Slot| slot.bytes >= needed;
        let large_enough = self.slots.iter().flatten().filter(|slot| holds(slot)).count();
        let too_small = large_enough < FREE_FILES_WANTED;
        if self.free.len() >= FREE_FILES_WANTED && !too_small {
            return;
        }
        let made = u32::try_from(self.slots.len()).expect("few files");
        let grown =
            self.limits.first_file_bytes.saturating_mul(GROWTH.saturating_pow(made.min(16)));
        let mut bytes = grown.min(self.limits.file_bytes_max);
        if too_small && !self.slots.is_empty() {
            bytes = bytes.max(needed.next_multiple_of(self.zeros.len() as u64));
        }
        let full = self.total_bytes() + bytes > self.limits.bytes_max;
        if full && self.slots.len() > FREE_FILES_WANTED && !too_small {
            return;
        }
        // Without a first file nothing goes at all: it may take whatever there is.
        if !self.slots.is_empty() {
            let zeros = self.zeros.len() as u64;
            let affordable = self.spare / SPARE_SHARE / zeros * zeros;
            let needed = if too_small { needed.next_multiple_of(zeros) } else { 0 };
            bytes = bytes.min(affordable).max(needed).max(self.limits.first_file_bytes);
            if bytes > self.spare {
                self.starved = true;
                return;
            }
        }
        self.spare = self.spare.saturating_sub(bytes);
        self.slots.push(None);
        let path = self.path(made);
        self.preparing = Some(Preparing { slot: made, bytes, written: 0, file: None });
        let open = DiskOp::Open { path, mode: OpenMode::Direct, create: true };
        queue.push(Token::new(TokenKind::OpenToZero, made).get(), open);
    }

    fn path(&self, slot: u32) -> FileName {
        self.directory.join(&format!("{slot:02}.wal"))
    }

    /// Goes on with the file being made. Returns whether a file became free.
    pub(super) fn prepared(
        &mut self,
        kind: TokenKind,
        result: DiskResult,
        queue: &mut DiskQueue<'_>,
    ) -> Result<bool, DiskError> {
        let done = match result {
            Ok(done) => done,
            Err(DiskError::Full) => {
                self.abandon(queue);
                return Ok(false);
            }
            Err(error) => return Err(error),
        };
        let preparing = self.preparing.as_mut().expect("asked for");
        match (kind, done) {
            (TokenKind::OpenToZero, DiskDone::Opened { file, .. }) => preparing.file = Some(file),
            (TokenKind::Zero, _) => preparing.written += self.zeros.len() as u64,
            (TokenKind::SyncZeros, _) => {
                preparing.file = None;
                if planted(Bug::ForgetWalDirectory) {
                    let kind = TokenKind::SyncName;
                    return self.prepared(kind, Ok(DiskDone::Done), queue);
                }
                let token = Token::new(TokenKind::SyncName, preparing.slot);
                queue.push(token.get(), DiskOp::SyncDirectory { path: self.directory.clone() });
                return Ok(false);
            }
            (TokenKind::SyncName, _) => {
                let (slot, mode) = (preparing.slot, OpenMode::DirectSync);
                let open = DiskOp::Open { path: self.path(slot), mode, create: false };
                queue.push(Token::new(TokenKind::OpenToCommit, slot).get(), open);
                return Ok(false);
            }
            (TokenKind::OpenToCommit, DiskDone::Opened { file, len }) => {
                let Preparing { slot, bytes, .. } = self.preparing.take().expect("present");
                assert_eq!(len, bytes, "a WAL file was zeroed to its length");
                self.slots[slot as usize] = Some(Slot { file, bytes });
                self.free.push_back(slot);
                return Ok(true);
            }
            (kind, done) => unreachable!("{kind:?} was answered by {done:?}"),
        }
        self.zero_on(queue);
        Ok(false)
    }

    fn zero_on(&mut self, queue: &mut DiskQueue<'_>) {
        let preparing = self.preparing.as_ref().expect("being made");
        let file = preparing.file.clone().expect("open while zeroed");
        let slot = preparing.slot;
        if preparing.written >= preparing.bytes {
            queue.push(Token::new(TokenKind::SyncZeros, slot).get(), DiskOp::Sync { file });
            return;
        }
        let (position, bytes) = (preparing.written, self.zeros.clone());
        let write = DiskOp::Write { file, position, bytes };
        queue.push(Token::new(TokenKind::Zero, slot).get(), write);
    }

    /// Gives the space of a half-made file back.
    fn abandon(&mut self, queue: &mut DiskQueue<'_>) {
        let Preparing { slot, .. } = self.preparing.take().expect("being made");
        assert_eq!(slot as usize + 1, self.slots.len());
        self.slots.pop();
        self.starved = true;
        self.removing = true;
        let remove = DiskOp::Remove { path: self.path(slot) };
        queue.push(Token::new(TokenKind::Abandoned, slot).get(), remove);
    }

    /// The half-made file is gone.
    pub(super) fn abandoned(&mut self, wanted: u64, queue: &mut DiskQueue<'_>) {
        self.removing = false;
        self.prepare_more(wanted, queue);
    }

    /// The number that the first entry of a new file carries is not known here; its place is.
    pub(super) fn first_block(header: [u8; 48]) -> [u8; BLOCK_BYTES] {
        let mut block = [0; BLOCK_BYTES];
        block[..header.len()].copy_from_slice(&header);
        block
    }
}

/// An append's place: which generation its bytes will be found in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Logged {
    /// The entry's number.
    pub lsn: Lsn,
    /// The life of the file that it goes to.
    pub generation: u64,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::{AnsweringDisk, DiskRequest};

    const KIB: u64 = 1 << 10;
    const LIMITS: WalLimits = WalLimits {
        bytes_max: 1024 * KIB,
        first_file_bytes: 64 * KIB,
        file_bytes_max: 256 * KIB,
        commit_bytes_max: 8 << 10,
    };
    const COMMIT: u64 = 8 * KIB;

    struct World {
        files: Files,
        disk: AnsweringDisk,
    }

    impl World {
        fn new() -> Self {
            let files = Files::new(FileName::new("wal"), &LIMITS);
            Self { files, disk: AnsweringDisk::new(1 << 40) }
        }

        /// Makes all files that are wanted; the sizes of those on the disk.
        fn prepare(&mut self) -> Vec<u64> {
            let mut requests = Vec::new();
            self.files.prepare(COMMIT, &mut DiskQueue::new(0, &mut requests));
            while let Some(DiskRequest { token, op, .. }) = requests.pop() {
                let (kind, answer) = (Token::from_number(token).kind(), self.disk.answer(op));
                let mut queue = DiskQueue::new(0, &mut requests);
                if self.files.prepared(kind, answer, &mut queue).unwrap() {
                    self.files.prepare_more(COMMIT, &mut queue);
                }
            }
            self.disk.lengths.values().copied().collect()
        }

        /// Commits as long as there is room; the bytes that took.
        fn fill(&mut self) -> u64 {
            let mut bytes = 0;
            while self.files.has_place(COMMIT, Urgency::Ordinary) {
                let place = self.files.reserve(COMMIT, Urgency::Ordinary).unwrap();
                self.files.seal(place, place.reserved);
                bytes += place.reserved;
            }
            bytes
        }
    }

    #[test]
    fn files_take_a_part_of_what_the_device_can_spare_and_none_of_its_last() {
        let mut world = World::new();
        world.files.set_spare(1024 * KIB);
        assert_eq!(world.prepare(), [64 * KIB, 240 * KIB - 240 * KIB % (64 * KIB)]);
        assert!(!world.files.is_starved());

        let mut world = World::new();
        world.files.set_spare(64 * KIB);
        assert_eq!(world.prepare(), [64 * KIB], "the first, whatever there is, and no other");
        assert!(world.files.is_starved());
        world.files.set_spare(127 * KIB);
        assert_eq!(world.prepare(), [64 * KIB; 2], "as large as the first at least");
    }

    #[test]
    fn appends_leave_room_for_what_earlier_lives_left_until_that_is_drained() {
        let mut world = World::new();
        world.prepare();
        world.files.set_earlier_bytes(LIMITS.bytes_max - 32 * KIB);
        let filled = world.fill();
        assert!(filled > 16 * KIB && filled <= 32 * KIB, "{filled}");
        assert!(world.files.has_place(COMMIT, Urgency::MakesRoom));
        world.files.set_earlier_bytes(0);
        assert!(world.files.has_place(COMMIT, Urgency::Ordinary));
        world.files.set_earlier_bytes(LIMITS.bytes_max + 1);
        assert!(!world.files.has_place(COMMIT, Urgency::Ordinary));
    }
}
