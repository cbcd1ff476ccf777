//! The write-ahead log of one shard: everything that arrived in a moment is made durable by one
//! write. What it guarantees stands in the design as the rules of the WAL.
//!
//! Appends fill the open stage. One commit is in flight at a time; when it has completed, the next
//! stage is sealed and written. So whatever a commit's header calls durable was durable before that
//! commit began, which is how replay tells a torn tail from a rotten block.

mod checkpoint;
mod entry;
mod files;
mod replay;
mod token;

use std::collections::VecDeque;

use self::entry::{COMMIT_HEADER_BYTES, Commit, FileIdentity, entry_bytes, entry_header};
use self::files::{Files, Place};
use self::token::{Token, TokenKind};
use crate::io::{
    BLOCK_BYTES, Buffer, DiskError, DiskOp, DiskQueue, DiskResult, FileName, MemoryRange,
};
use crate::types::Lsn;

pub use self::checkpoint::{SLOT_NAMES, Slot, SlotWriter};
pub use self::entry::{EntryKind, EntryMeta};
pub use self::files::{Logged, Urgency};
pub use self::replay::{Replay, ReplayError, Replayed, ReplayedEntry};

/// Commits waiting behind the one in flight, the open one included. More would only add latency.
const STAGES_MAX: usize = 2;

/// Sizes of a WAL, in bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct WalLimits {
    /// All files together, and, until the shard has drained it, its share of what earlier lives left;
    /// the files that a commit needs at least are made even above it.
    pub bytes_max: u64,
    /// The first file; later ones are larger, so that a start is fast and a busy broker has few.
    pub first_file_bytes: u64,
    /// One file; above the largest entry that can be appended.
    pub file_bytes_max: u64,
    /// One commit, unless a single entry is larger. Large commits make long tails.
    pub commit_bytes_max: usize,
}

/// A commit being filled.
#[derive(Debug)]
struct Stage {
    buffer: Buffer,
    place: Place,
    first_lsn: Lsn,
    entries: u32,
    /// Bytes that the entries may reach, with both headers.
    len_max: usize,
}

/// The commit that is being written.
#[derive(Debug)]
struct InFlight {
    bytes: MemoryRange,
    last_lsn: Lsn,
}

/// The write-ahead log of one shard.
#[derive(Debug)]
pub struct Wal {
    wal_id: u64,
    directory: FileName,
    parent: FileName,
    limits: WalLimits,
    files: Files,
    /// In order: the last is open, the others wait to be written.
    stages: VecDeque<Stage>,
    in_flight: Option<InFlight>,
    spare: Vec<Buffer>,
    next_lsn: Lsn,
    durable_lsn: Lsn,
    /// The largest commit that was ever refused for lack of a file that could hold it.
    wanted_bytes: u64,
    commits: u64,
    device_bytes: u64,
}

impl Wal {
    /// A new, empty WAL in `parent`, named after its random id. It begins to exist with
    /// [`Wal::create`].
    pub fn new(wal_id: u64, parent: &FileName, limits: WalLimits) -> Self {
        let directory = parent.join(&directory_name(wal_id));
        assert!(limits.commit_bytes_max.is_multiple_of(BLOCK_BYTES));
        let first_commit = (limits.commit_bytes_max + BLOCK_BYTES) as u64;
        assert!(limits.first_file_bytes >= first_commit, "the first file holds a commit");
        Self {
            wal_id,
            files: Files::new(directory.clone(), &limits),
            directory,
            parent: parent.clone(),
            limits,
            stages: VecDeque::new(),
            in_flight: None,
            spare: Vec::new(),
            next_lsn: Lsn::new(1),
            durable_lsn: Lsn::new(0),
            wanted_bytes: limits.commit_bytes_max as u64,
            commits: 0,
            device_bytes: 0,
        }
    }

    /// Its random id, which also names its directory.
    pub fn id(&self) -> u64 {
        self.wal_id
    }

    /// Its directory.
    pub fn directory(&self) -> &FileName {
        &self.directory
    }

    /// Makes the directory and the first files.
    pub fn create(&mut self, queue: &mut DiskQueue<'_>) {
        let path = self.directory.clone();
        let token = Token::new(TokenKind::CreateDirectory, 0);
        queue.push(token.get(), DiskOp::CreateDirectory { path });
    }

    /// Whether appends can begin: the directory and a first file are there.
    pub fn is_ready(&self) -> bool {
        self.files.has_files()
    }

    /// Whether the device has too little for another file that is wanted.
    pub fn is_starved(&self) -> bool {
        self.files.is_starved()
    }

    /// Whether the device has no room for even one file.
    pub fn is_homeless(&self) -> bool {
        self.files.is_starved() && !self.files.has_files()
    }

    /// The last number that is known to be on disk.
    pub fn durable_lsn(&self) -> Lsn {
        self.durable_lsn
    }

    /// The last number given out.
    pub fn last_lsn(&self) -> Lsn {
        Lsn::new(self.next_lsn.get() - 1)
    }

    /// Bytes that replay would have to read now.
    pub fn live_bytes(&self) -> u64 {
        self.files.live_bytes()
    }

    /// Bytes that can still be appended before a file must be recycled.
    pub fn free_bytes(&self) -> u64 {
        self.files.free_bytes()
    }

    /// Whether few files are free, or none that is large enough, so that old ones should be.
    pub fn wants_files(&self) -> bool {
        self.files.wants_files(self.wanted_bytes)
    }

    /// The bytes of all files.
    pub fn total_bytes(&self) -> u64 {
        self.files.total_bytes()
    }

    /// The oldest generation that replay would read.
    pub fn oldest_generation(&self) -> u64 {
        self.files.oldest_generation()
    }

    /// The generation that new commits go to.
    pub fn newest_generation(&self) -> u64 {
        self.files.newest_generation()
    }

    /// Commits written, and the bytes they took on the device.
    pub fn written(&self) -> (u64, u64) {
        (self.commits, self.device_bytes)
    }

    /// Whether nothing is staged or in flight.
    pub fn is_idle(&self) -> bool {
        self.in_flight.is_none() && self.stages.is_empty()
    }

    /// Notes how much of earlier lives' logs a start would have to replay besides this one: ordinary
    /// appends get the rest of the cap.
    pub fn set_earlier_bytes(&mut self, bytes: u64) {
        self.files.set_earlier_bytes(bytes);
    }

    /// Whether an entry with a payload of `bytes` can be appended now. When not, it can after a
    /// commit completed or files were recycled.
    pub fn has_room(&mut self, bytes: usize, urgency: Urgency) -> bool {
        let needed = entry_bytes(bytes);
        if self.stages.back().is_some_and(|stage| stage.buffer.len() + needed <= stage.len_max) {
            return true;
        }
        let commit = self.commit_bytes(needed);
        if self.stages.len() >= STAGES_MAX && urgency == Urgency::Ordinary {
            return false;
        }
        let room = self.files.has_place(commit, urgency);
        if !room {
            self.wanted_bytes = self.wanted_bytes.max(commit);
        }
        room
    }

    fn commit_bytes(&self, needed: usize) -> u64 {
        let bytes = (COMMIT_HEADER_BYTES + needed).max(self.limits.commit_bytes_max);
        bytes.next_multiple_of(BLOCK_BYTES) as u64
    }

    /// Logs an entry whose payload is `head` followed by `body`. It is durable once
    /// [`Wal::durable_lsn`] reaches its number.
    ///
    /// # Panics
    /// When there is no room: see [`Wal::has_room`].
    pub fn append(
        &mut self,
        meta: &EntryMeta,
        head: &[u8],
        body: &[u8],
        urgency: Urgency,
    ) -> Logged {
        let needed = entry_bytes(head.len() + body.len());
        self.make_place(needed, urgency);
        let lsn = self.next_lsn;
        self.next_lsn = lsn.next();
        let wal_id = self.wal_id;
        let stage = self.stages.back_mut().expect("open");
        let generation = stage.place.generation;
        let identity = FileIdentity { wal_id, generation };
        let buffer = &mut stage.buffer;
        let end = buffer.len() + needed;
        buffer.extend(&entry_header(meta, identity, lsn, head, body));
        buffer.extend(head);
        buffer.extend(body);
        buffer.extend_zeros(end - buffer.len());
        stage.entries += 1;
        Logged { lsn, generation }
    }

    /// Keeps what [`Wal::has_room`] promised for `bytes` together in one commit, for entries that
    /// are appended one by one: each might begin a commit of its own otherwise, and need more.
    ///
    /// # Panics
    /// When there is no room.
    pub fn keep_together(&mut self, bytes: usize, urgency: Urgency) {
        self.make_place(entry_bytes(bytes), urgency);
    }

    fn make_place(&mut self, needed: usize, urgency: Urgency) {
        let fits = self.stages.back().is_some_and(|s| s.buffer.len() + needed <= s.len_max);
        if !fits {
            self.open_stage(needed, urgency);
        }
    }

    fn open_stage(&mut self, needed: usize, urgency: Urgency) {
        let bytes = self.commit_bytes(needed);
        let place = self.files.reserve(bytes, urgency).expect("room was asked for");
        let first_block = if place.starts_file { BLOCK_BYTES } else { 0 };
        let len_max = first_block + usize::try_from(bytes).expect("a commit fits into memory");
        let mut buffer = self.spare_buffer(len_max);
        if place.starts_file {
            let identity = FileIdentity { wal_id: self.wal_id, generation: place.generation };
            let file_bytes = self.files.file_bytes(place.generation);
            let header = entry::file_header(identity, self.next_lsn, file_bytes);
            buffer.extend(&Files::first_block(header));
        }
        buffer.extend_zeros(COMMIT_HEADER_BYTES);
        let first_lsn = self.next_lsn;
        self.stages.push_back(Stage { buffer, place, first_lsn, entries: 0, len_max });
    }

    fn spare_buffer(&mut self, bytes: usize) -> Buffer {
        let found = self.spare.iter().position(|buffer| buffer.capacity() >= bytes);
        let found = found.map(|index| self.spare.swap_remove(index));
        found.unwrap_or_else(|| Buffer::with_capacity(bytes.max(self.usual_buffer_bytes())))
    }

    fn usual_buffer_bytes(&self) -> usize {
        self.limits.commit_bytes_max + BLOCK_BYTES
    }

    /// Writes the next commit, if one waits and none is in flight, and prepares files. To be called
    /// at the end of each turn.
    pub fn flush(&mut self, queue: &mut DiskQueue<'_>) {
        if self.files.has_files() {
            self.files.prepare_more(self.wanted_bytes, queue);
        }
        if self.in_flight.is_some() {
            return;
        }
        let Some(mut stage) = self.stages.pop_front() else { return };
        let header_at = if stage.place.starts_file { BLOCK_BYTES } else { 0 };
        let commit = Commit {
            entries: stage.entries,
            first_lsn: stage.first_lsn,
            durable_lsn: self.durable_lsn,
            bytes: stage.buffer.len() - header_at,
        };
        assert_eq!(stage.first_lsn, self.durable_lsn.next(), "commits follow each other");
        let identity = FileIdentity { wal_id: self.wal_id, generation: stage.place.generation };
        stage.buffer.rewrite(header_at, &commit.encode(identity));
        stage.buffer.pad_to_block();
        let len = stage.buffer.len();
        let (file, position) = self.files.seal(stage.place, len as u64);
        let bytes = stage.buffer.range(0..len);
        let last_lsn = Lsn::new(stage.first_lsn.get() + u64::from(stage.entries) - 1);
        self.in_flight = Some(InFlight { bytes: bytes.clone(), last_lsn });
        self.commits += 1;
        self.device_bytes += len as u64;
        let write = DiskOp::Write { file, position, bytes };
        queue.push(Token::new(TokenKind::Commit, 0).get(), write);
    }

    /// Takes the answer to a request. `true` when [`Wal::durable_lsn`] moved.
    ///
    /// # Errors
    /// The disk failed: nothing that is not yet durable may be acknowledged any more, and the
    /// process has to stop.
    pub fn completed(
        &mut self,
        token: u32,
        result: DiskResult,
        queue: &mut DiskQueue<'_>,
    ) -> Result<bool, DiskError> {
        let kind = Token::from_number(token).kind();
        match kind {
            TokenKind::CreateDirectory => {
                result?;
                let token = Token::new(TokenKind::SyncParent, 0);
                queue.push(token.get(), DiskOp::SyncDirectory { path: self.parent.clone() });
            }
            TokenKind::SyncParent => {
                result?;
                self.files.prepare(self.wanted_bytes, queue);
            }
            TokenKind::Commit => {
                result?;
                self.committed();
                return Ok(true);
            }
            TokenKind::Abandoned => self.files.abandoned(self.wanted_bytes, queue),
            other => {
                if self.files.prepared(other, result, queue)? {
                    self.files.prepare_more(self.wanted_bytes, queue);
                }
            }
        }
        Ok(false)
    }

    fn committed(&mut self) {
        let InFlight { bytes, last_lsn } = self.in_flight.take().expect("a commit was in flight");
        assert!(last_lsn > self.durable_lsn);
        self.durable_lsn = last_lsn;
        let usual = self.usual_buffer_bytes().next_multiple_of(BLOCK_BYTES);
        if let Some(buffer) = Buffer::reuse(bytes)
            && buffer.capacity() == usual
        {
            self.spare.push(buffer);
        }
    }

    /// Frees the files of all generations below `generation`: nothing in them is needed any more.
    /// Returns whether there was any.
    pub fn recycle(&mut self, generation: u64) -> bool {
        self.files.recycle(generation)
    }

    /// Notes that further files may take `spare` bytes of the device, and tries again to make them
    /// where it had too little.
    pub fn retry_files(&mut self, spare: u64, queue: &mut DiskQueue<'_>) {
        self.files.set_spare(spare);
        if self.files.is_starved() {
            self.files.prepare(self.wanted_bytes, queue);
        }
    }
}

/// The name of a WAL's directory.
pub fn directory_name(wal_id: u64) -> String {
    format!("{wal_id:016x}")
}
