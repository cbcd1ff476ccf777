//! What the core asks of a disk, as data, and what comes back.

use core::{any::Any, fmt, ops::Deref};
use std::sync::Arc;

use super::MemoryRange;

/// The path of a file or directory, as the driver understands it. Cheap to clone.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileName(Arc<str>);

impl FileName {
    /// A path as typed.
    pub fn new(path: &str) -> Self {
        Self(Arc::from(path))
    }

    /// The path of `name` within this directory.
    #[must_use]
    pub fn join(&self, name: &str) -> Self {
        Self(Arc::from(format!("{}/{name}", self.0)))
    }
}

impl Deref for FileName {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for FileName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&*self.0, f)
    }
}

impl fmt::Display for FileName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A file that a driver has opened. The last handle dropped closes it.
pub trait OpenFile: Any + Send + Sync + fmt::Debug {
    /// For the driver, to find its own type again.
    fn as_any(&self) -> &dyn Any;
}

/// An open file, pinned to the inode it was opened on: renames and unlinks do not change what it
/// reads. Cheap to clone, and may travel to another core.
#[derive(Clone, Debug)]
pub struct FileHandle(Arc<dyn OpenFile>);

impl FileHandle {
    /// Wraps a driver's file.
    pub fn new(file: impl OpenFile) -> Self {
        Self(Arc::new(file))
    }

    /// The driver's file, if it is a `T`.
    pub fn downcast<T: OpenFile>(&self) -> Option<&T> {
        self.0.as_any().downcast_ref()
    }

    /// Whether both were cloned from one opening.
    pub fn same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

/// How a file is opened. Direct and buffered access never meet on one file at one time.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum OpenMode {
    /// Whole aligned blocks past the page cache; durable after [`DiskOp::Sync`].
    Direct,
    /// Whole aligned blocks past the page cache; durable when the write completes.
    DirectSync,
    /// Through the page cache, for small files.
    Buffered,
    /// Through the page cache, for reading and sending only.
    ReadOnly,
}

/// One request to a disk. Requests run at the same time and in any order: who needs an order waits
/// for the answer before asking further.
#[derive(Debug)]
pub enum DiskOp {
    /// Opens a file; answers [`DiskDone::Opened`].
    Open {
        /// The file.
        path: FileName,
        /// The way it will be used.
        mode: OpenMode,
        /// Create it when it does not exist.
        create: bool,
    },
    /// Writes all of `bytes`; with a direct mode, `bytes` and `position` are whole blocks.
    Write {
        /// Where to.
        file: FileHandle,
        /// The first byte's position.
        position: u64,
        /// What to write; kept alive by the request.
        bytes: MemoryRange,
    },
    /// Reads up to `len` bytes, fewer only at the end of the file; answers [`DiskDone::Read`].
    Read {
        /// Where from.
        file: FileHandle,
        /// The first byte's position, a whole block with a direct mode.
        position: u64,
        /// How many bytes, whole blocks with a direct mode.
        len: usize,
    },
    /// Makes all writes that completed before durable (`fdatasync`).
    Sync {
        /// The file.
        file: FileHandle,
    },
    /// Reserves space for `position..position + len` and extends the file to its end.
    Allocate {
        /// The file.
        file: FileHandle,
        /// The first byte to reserve.
        position: u64,
        /// How many bytes.
        len: u64,
    },
    /// Cuts or extends the file to exactly `len` bytes.
    SetLength {
        /// The file.
        file: FileHandle,
        /// The length.
        len: u64,
    },
    /// Reads a small file whole; answers [`DiskDone::Bytes`].
    ReadFile {
        /// The file.
        path: FileName,
        /// A longer file is an error, [`DiskError::TooLarge`].
        bytes_max: u64,
    },
    /// Writes a small file whole and makes its content durable; its name only by
    /// [`DiskOp::SyncDirectory`].
    WriteFile {
        /// The file.
        path: FileName,
        /// All of its content.
        bytes: Vec<u8>,
    },
    /// Writes a part of a small file through the page cache and does not make it durable: for
    /// caches that can be rebuilt. Creates the file.
    WriteAt {
        /// The file.
        path: FileName,
        /// Where to.
        position: u64,
        /// What to write.
        bytes: Vec<u8>,
    },
    /// Renames, replacing what was there.
    Rename {
        /// The old path.
        from: FileName,
        /// The new path, in the same file system.
        to: FileName,
    },
    /// Removes a file.
    Remove {
        /// The file.
        path: FileName,
    },
    /// Creates a directory; its parent exists. One that exists already is no error.
    CreateDirectory {
        /// The directory.
        path: FileName,
    },
    /// Removes a directory with everything in it.
    RemoveDirectory {
        /// The directory.
        path: FileName,
    },
    /// Makes names created, renamed and removed in a directory durable.
    SyncDirectory {
        /// The directory.
        path: FileName,
    },
    /// Lists a directory; answers [`DiskDone::Listed`] sorted by name.
    List {
        /// The directory.
        path: FileName,
    },
    /// Asks how full the file system is; answers [`DiskDone::Free`].
    FreeSpace {
        /// Any path on it.
        path: FileName,
    },
}

/// What a request brought.
#[derive(Debug)]
pub enum DiskDone {
    /// Done, with nothing to tell.
    Done,
    /// The file, and its length in bytes.
    Opened {
        /// The open file.
        file: FileHandle,
        /// Its length when it was opened.
        len: u64,
    },
    /// The bytes read.
    Read(MemoryRange),
    /// A whole small file.
    Bytes(Vec<u8>),
    /// A directory's entries.
    Listed(Vec<DirectoryEntry>),
    /// The file system's space.
    Free(FreeSpace),
}

/// A file system's space in bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FreeSpace {
    /// What this process may still use.
    pub free_bytes: u64,
    /// The size of all of it.
    pub total_bytes: u64,
}

/// A directory's entry.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DirectoryEntry {
    /// The name without the directory.
    pub name: String,
    /// What it is.
    pub kind: EntryKind,
    /// A file's length in bytes; zero for anything else.
    pub len: u64,
}

/// What a directory's entry is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum EntryKind {
    /// A plain file.
    File,
    /// A directory.
    Directory,
    /// A link, device, socket: never ours.
    Other,
}

/// Why a request failed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum DiskError {
    /// No such file or directory.
    NotFound,
    /// The device or the quota is full.
    Full,
    /// The process may not.
    Permission,
    /// The file is longer than the request allowed.
    TooLarge,
    /// Too many files are open in this process or system.
    TooManyOpenFiles,
    /// Anything else, with the number the kernel gave.
    Other(i32),
}

impl fmt::Display for DiskError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotFound => f.write_str("no such file or directory"),
            Self::Full => f.write_str("no space left on the device"),
            Self::Permission => f.write_str("permission denied"),
            Self::TooLarge => f.write_str("the file is longer than expected"),
            Self::TooManyOpenFiles => f.write_str("too many open files (raise `ulimit -n`)"),
            Self::Other(errno) => write!(f, "I/O error (errno {errno})"),
        }
    }
}

/// The answer to a request.
pub type DiskResult = Result<DiskDone, DiskError>;

/// A request with its sender: the answer comes back under the same owner and token.
#[derive(Debug)]
pub struct DiskRequest {
    /// The part of the shard that asked.
    pub owner: u32,
    /// What it asked for, in its own words.
    pub token: u32,
    /// The request.
    pub op: DiskOp,
}

/// Where one part of the shard puts its requests.
#[derive(Debug)]
pub struct DiskQueue<'a> {
    owner: u32,
    requests: &'a mut Vec<DiskRequest>,
}

impl<'a> DiskQueue<'a> {
    /// The queue of `owner`.
    pub fn new(owner: u32, requests: &'a mut Vec<DiskRequest>) -> Self {
        Self { owner, requests }
    }

    /// Asks for `op`; the answer carries `token`.
    pub fn push(&mut self, token: u32, op: DiskOp) {
        self.requests.push(DiskRequest { owner: self.owner, token, op });
    }
}
