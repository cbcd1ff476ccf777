//! Reads a WAL back after a start: the newest checkpoint, then every commit behind it.
//!
//! The machine says which range it wants and is given it. What it yields is exactly the entries of
//! whole commits with consecutive numbers. Where they end, either the last commit was torn by a
//! power cut, or acknowledged bytes have rotted: a later commit that calls the missing number
//! durable tells the two apart, and only the first is survivable.

use core::fmt;

use super::checkpoint::{self, Slot};
use super::entry::{
    COMMIT_HEADER_BYTES, Commit, ENTRY_HEADER_BYTES, EntryKind, EntryMeta, FileIdentity,
    entry_bytes, parse_entry, parse_file_header,
};
use crate::io::{
    BLOCK_BYTES, DirectoryEntry, DiskDone, DiskError, DiskOp, DiskQueue, DiskResult, FileHandle,
    FileName, MemoryRange, OpenMode,
};
use crate::planted::{Bug, planted};
use crate::record::crc32c;
use crate::types::Lsn;

/// How much is read at once; a larger commit is read whole.
const WINDOW_BYTES: usize = 4 << 20;
/// The end of a WAL file's name.
const FILE_SUFFIX: &str = ".wal";

const TOKEN_LIST: u32 = 0;
const TOKEN_SLOT: u32 = 1;
const TOKEN_OPEN: u32 = 2;
const TOKEN_HEADER: u32 = 3;
const TOKEN_WINDOW: u32 = 4;

/// An entry with its payload.
#[derive(Clone, Debug)]
pub struct ReplayedEntry {
    /// What it says.
    pub meta: EntryMeta,
    /// Its number.
    pub lsn: Lsn,
    /// Its bytes: for an append, the record batch.
    pub payload: MemoryRange,
}

/// Why a WAL cannot be believed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ReplayError {
    /// The disk did not answer.
    Disk(DiskError),
    /// Bytes that had been acknowledged are not what was written.
    Corrupt {
        /// The directory of the WAL.
        directory: FileName,
        /// The first number that is missing.
        lsn: Lsn,
        /// What stands against it.
        evidence: &'static str,
    },
    /// Both checkpoint slots are damaged.
    NoCheckpoint {
        /// The directory of the WAL.
        directory: FileName,
    },
}

impl fmt::Display for ReplayError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Disk(error) => write!(f, "the write-ahead log cannot be read: {error}"),
            Self::Corrupt { directory, lsn, evidence } => write!(
                f,
                "{directory}: acknowledged entry {lsn} is damaged ({evidence}); restore this \
                 directory from a copy, or keep it and start with an empty one"
            ),
            Self::NoCheckpoint { directory } => {
                write!(f, "{directory}: both checkpoint slots are damaged")
            }
        }
    }
}

impl From<DiskError> for ReplayError {
    fn from(error: DiskError) -> Self {
        Self::Disk(error)
    }
}

/// What a WAL held.
#[derive(Debug, Default)]
pub struct Replayed {
    /// The state at the last checkpoint, if one was reached.
    pub slot: Option<Slot>,
    /// Everything from there on, and some before, in the order of its numbers.
    pub entries: Vec<ReplayedEntry>,
    /// Whether the last commit was cut off: nothing of it had been acknowledged.
    pub torn: bool,
    /// Bytes read.
    pub bytes: u64,
    /// Bytes of the commits that were believed, with what fills their last blocks.
    pub commits_bytes: u64,
}

#[derive(Debug)]
struct File {
    handle: FileHandle,
    len: u64,
    identity: FileIdentity,
    first_lsn: Lsn,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Reading {
    Commits,
    /// The commit at hand is no commit: anything behind it that says it was durable?
    SearchingBehind,
}

/// The machine. Drive it with [`Replay::start`] and [`Replay::completed`].
#[derive(Debug)]
pub struct Replay {
    directory: FileName,
    slots_to_read: Vec<FileName>,
    slots_seen: usize,
    to_open: Vec<FileName>,
    opening: Option<(FileHandle, u64)>,
    files: Vec<File>,
    current: usize,
    position: u64,
    window: usize,
    /// The bytes of the window that was asked for.
    asked: usize,
    reading: Reading,
    expected: Lsn,
    result: Replayed,
}

impl Replay {
    /// A replay of the WAL in `directory`.
    pub fn new(directory: FileName) -> Self {
        Self {
            directory,
            slots_to_read: Vec::new(),
            slots_seen: 0,
            to_open: Vec::new(),
            opening: None,
            files: Vec::new(),
            current: 0,
            position: 0,
            window: WINDOW_BYTES,
            asked: 0,
            reading: Reading::Commits,
            expected: Lsn::new(1),
            result: Replayed::default(),
        }
    }

    /// Asks for the first thing.
    pub fn start(&mut self, queue: &mut DiskQueue<'_>) {
        queue.push(TOKEN_LIST, DiskOp::List { path: self.directory.clone() });
    }

    /// Takes an answer and asks for the next thing; the result, once there is nothing more to ask.
    ///
    /// # Errors
    /// When the WAL cannot be read or believed.
    pub fn completed(
        &mut self,
        token: u32,
        result: DiskResult,
        queue: &mut DiskQueue<'_>,
    ) -> Result<Option<Replayed>, ReplayError> {
        match (token, result?) {
            (TOKEN_LIST, DiskDone::Listed(entries)) => self.listed(&entries),
            (TOKEN_SLOT, DiskDone::Bytes(bytes)) => self.take_slot(&bytes),
            (TOKEN_OPEN, DiskDone::Opened { file, len }) => self.opening = Some((file, len)),
            (TOKEN_HEADER, DiskDone::Read(block)) => self.take_file_header(&block),
            (TOKEN_WINDOW, DiskDone::Read(window)) => {
                if window.len() < self.asked {
                    return Err(self.corrupt("the file is shorter than it was when it was opened"));
                }
                self.result.bytes += window.len() as u64;
                let ended = match self.reading {
                    Reading::Commits => self.take_commits(&window)?,
                    Reading::SearchingBehind => self.search_behind(&window)?,
                };
                if ended {
                    return Ok(Some(std::mem::take(&mut self.result)));
                }
            }
            (token, done) => unreachable!("token {token} was answered by {done:?}"),
        }
        self.ask(queue)
    }

    fn listed(&mut self, entries: &[DirectoryEntry]) {
        for entry in entries {
            let path = self.directory.join(&entry.name);
            if checkpoint::SLOT_NAMES.contains(&entry.name.as_str()) {
                self.slots_to_read.push(path);
            } else if entry.name.ends_with(FILE_SUFFIX) && entry.len >= BLOCK_BYTES as u64 {
                self.to_open.push(path);
            }
        }
    }

    fn take_slot(&mut self, bytes: &[u8]) {
        if let Some(slot) = checkpoint::parse_slot(bytes)
            && self.result.slot.as_ref().is_none_or(|best| best.number < slot.number)
        {
            self.result.slot = Some(slot);
        }
    }

    fn take_file_header(&mut self, block: &[u8]) {
        let (handle, len) = self.opening.take().expect("opened before it was read");
        if let Some((identity, first_lsn)) = parse_file_header(block) {
            self.files.push(File { handle, len, identity, first_lsn });
        }
    }

    /// Asks for whatever comes next.
    fn ask(&mut self, queue: &mut DiskQueue<'_>) -> Result<Option<Replayed>, ReplayError> {
        if let Some(path) = self.slots_to_read.pop() {
            self.slots_seen += 1;
            let bytes_max = checkpoint::SLOT_BYTES_MAX;
            queue.push(TOKEN_SLOT, DiskOp::ReadFile { path, bytes_max });
            return Ok(None);
        }
        if let Some((file, _)) = &self.opening {
            let (file, position, len) = (file.clone(), 0, BLOCK_BYTES);
            queue.push(TOKEN_HEADER, DiskOp::Read { file, position, len });
            return Ok(None);
        }
        if let Some(path) = self.to_open.pop() {
            let mode = OpenMode::Direct;
            queue.push(TOKEN_OPEN, DiskOp::Open { path, mode, create: false });
            return Ok(None);
        }
        if self.position == 0 && !self.begin_reading()? {
            return Ok(Some(std::mem::take(&mut self.result)));
        }
        let file = &self.files[self.current];
        let left = usize::try_from(file.len - self.position).unwrap_or(usize::MAX);
        let (file, position, len) = (file.handle.clone(), self.position, left.min(self.window));
        self.asked = len;
        queue.push(TOKEN_WINDOW, DiskOp::Read { file, position, len });
        Ok(None)
    }

    /// Sorts out which files count. `false` when there is nothing to read.
    fn begin_reading(&mut self) -> Result<bool, ReplayError> {
        if self.slots_seen == checkpoint::SLOT_NAMES.len() && self.result.slot.is_none() {
            // One slot may be half written; two mean that a checkpoint had been reached.
            return Err(ReplayError::NoCheckpoint { directory: self.directory.clone() });
        }
        let first = self.result.slot.as_ref().map_or(1, |slot| slot.replay_generation);
        self.files.retain(|file| file.identity.generation >= first);
        self.files.sort_by_key(|file| file.identity.generation);
        let Some(oldest) = self.files.first() else { return Ok(false) };
        self.expected = oldest.first_lsn;
        let mut generations = (0..).zip(self.files.iter().map(|file| file.identity.generation));
        let gap = generations.any(|(index, generation)| generation - first != index);
        if gap {
            return Err(self.corrupt("a file of the sequence is missing"));
        }
        self.position = BLOCK_BYTES as u64;
        Ok(true)
    }

    fn corrupt(&self, evidence: &'static str) -> ReplayError {
        let directory = self.directory.clone();
        ReplayError::Corrupt { directory, lsn: self.expected, evidence }
    }

    /// Takes every whole commit of the window. `true` when the WAL ends here.
    fn take_commits(&mut self, window: &MemoryRange) -> Result<bool, ReplayError> {
        let file = &self.files[self.current];
        let (identity, file_len) = (file.identity, file.len);
        let mut at = 0;
        self.window = WINDOW_BYTES;
        while at < window.len() {
            let Some(commit) = Commit::parse(&window[at..], identity) else {
                return self.commits_ended(at);
            };
            let room = file_len - self.position - at as u64;
            if commit.first_lsn != self.expected || commit.padded_bytes() as u64 > room {
                return self.commits_ended(at);
            }
            if at + commit.padded_bytes() > window.len() {
                self.window = WINDOW_BYTES.max(commit.padded_bytes());
                self.position += at as u64;
                return Ok(false);
            }
            let Some(mut entries) =
                parse_commit(&commit, &window.slice(at..at + commit.bytes), identity)
            else {
                return self.commits_ended(at);
            };
            self.expected = Lsn::new(self.expected.get() + entries.len() as u64);
            self.result.entries.append(&mut entries);
            self.result.commits_bytes += commit.padded_bytes() as u64;
            at += commit.padded_bytes();
        }
        self.position += at as u64;
        if self.position == file_len { self.commits_ended(0) } else { Ok(false) }
    }

    /// No commit of this file's life begins `at` bytes into the window: on to the next file, or
    /// look whether anything behind calls the missing number durable.
    fn commits_ended(&mut self, at: usize) -> Result<bool, ReplayError> {
        self.position += at as u64;
        if let Some(next) = self.files.get(self.current + 1) {
            if next.first_lsn != self.expected {
                return Err(self.corrupt("the next file begins behind it"));
            }
            self.current += 1;
            self.position = BLOCK_BYTES as u64;
            return Ok(false);
        }
        self.reading = Reading::SearchingBehind;
        Ok(self.position >= self.files[self.current].len)
    }

    fn search_behind(&mut self, window: &MemoryRange) -> Result<bool, ReplayError> {
        let file = &self.files[self.current];
        let (identity, file_len) = (file.identity, file.len);
        for block in window.chunks_exact(BLOCK_BYTES) {
            let Some(commit) = Commit::parse(block, identity) else { continue };
            if commit.durable_lsn >= self.expected {
                return Err(self.corrupt("a later commit calls it durable"));
            }
            self.result.torn = true;
        }
        self.position += window.len() as u64;
        Ok(self.position >= file_len)
    }
}

/// The entries of a commit, if every one of them is whole.
fn parse_commit(
    commit: &Commit,
    bytes: &MemoryRange,
    identity: FileIdentity,
) -> Option<Vec<ReplayedEntry>> {
    let mut entries = Vec::new();
    let mut at = COMMIT_HEADER_BYTES;
    let mut lsn = commit.first_lsn;
    while at < bytes.len() {
        let (meta, found, length) = parse_entry(&bytes[at..], identity)?;
        let start = at + ENTRY_HEADER_BYTES;
        let payload = bytes.slice(start..start + length);
        let is_batch = meta.kind == EntryKind::Append && !planted(Bug::SkipCrc);
        if found != lsn || (is_batch && !batch_is_whole(&payload)) {
            return None;
        }
        entries.push(ReplayedEntry { meta, lsn, payload });
        lsn = lsn.next();
        at += entry_bytes(length);
    }
    (entries.len() == commit.entries as usize).then_some(entries)
}

/// Whether a record batch's own CRC holds: its header is covered by the entry's CRC, and says what
/// the CRC of all that follows must be.
fn batch_is_whole(batch: &[u8]) -> bool {
    const CRC_AT: usize = 17;
    const COVERED_FROM: usize = 21;
    let Some(crc) = batch.get(CRC_AT..COVERED_FROM) else { return false };
    let stored = u32::from_be_bytes(crc.try_into().expect("four bytes"));
    stored == crc32c(&batch[COVERED_FROM..])
}

#[cfg(test)]
mod tests {
    use super::super::entry::file_header;
    use super::*;
    use crate::io::{Buffer, DiskRequest, OpenFile};

    #[derive(Debug)]
    struct NoFile;

    impl OpenFile for NoFile {
        fn as_any(&self) -> &dyn core::any::Any {
            self
        }
    }

    /// A file that was found with three blocks, of which `readable` bytes behind the first are there.
    fn replay(readable: usize) -> Result<Replayed, ReplayError> {
        let bytes = 3 * BLOCK_BYTES as u64;
        let identity = FileIdentity { wal_id: 7, generation: 1 };
        let (mut replay, mut requests) = (Replay::new(FileName::new("/wal")), Vec::new());
        replay.start(&mut DiskQueue::new(0, &mut requests));
        for _ in 0..20 {
            let DiskRequest { token, op, .. } = requests.pop().expect("asked until it is done");
            let done = match op {
                DiskOp::List { .. } => {
                    let (name, kind) = ("00.wal".to_owned(), crate::io::EntryKind::File);
                    DiskDone::Listed(vec![DirectoryEntry { name, kind, len: bytes }])
                }
                DiskOp::Open { .. } => {
                    DiskDone::Opened { file: FileHandle::new(NoFile), len: bytes }
                }
                DiskOp::Read { position: 0, len, .. } => {
                    let mut block = Buffer::with_capacity(len);
                    block.extend(&file_header(identity, Lsn::new(1), bytes));
                    block.pad_to_block();
                    DiskDone::Read(block.range(0..len))
                }
                DiskOp::Read { position, len, .. } => {
                    let end = BLOCK_BYTES + readable;
                    let len = len.min(end.saturating_sub(position as usize));
                    DiskDone::Read(MemoryRange::copy_of(&vec![0; len]))
                }
                other => unreachable!("{other:?}"),
            };
            let mut queue = DiskQueue::new(0, &mut requests);
            if let Some(replayed) = replay.completed(token, Ok(done), &mut queue)? {
                return Ok(replayed);
            }
        }
        panic!("replay does not end");
    }

    #[test]
    fn a_file_that_became_shorter_is_no_end_and_no_loop() {
        assert!(replay(2 * BLOCK_BYTES).unwrap().entries.is_empty());
        for readable in [0, BLOCK_BYTES] {
            let error = replay(readable).unwrap_err();
            assert!(matches!(error, ReplayError::Corrupt { .. }), "{readable}: {error}");
        }
    }
}
