//! Answers the requests of the machines that read a data directory, and only those that read.

use std::any::Any;
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::os::unix::fs::FileExt as _;

use crate::io::{
    DirectoryEntry, DiskDone, DiskError, DiskOp, DiskQueue, DiskResult, EntryKind, FileHandle,
    FileName, MemoryRange, OpenFile,
};
use crate::wal::{Replay, Replayed};

/// "Read-only file system", for everything that would change something.
const READ_ONLY: i32 = 30;
/// "Input/output error", for everything that has no number of its own.
const INPUT_OUTPUT: i32 = 5;

#[derive(Debug)]
struct PlainFile(File);

impl OpenFile for PlainFile {
    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// Reads one write-ahead log back, as a start would.
pub(super) fn replay(directory: &FileName) -> Result<Replayed, String> {
    let mut requests = Vec::new();
    let mut machine = Replay::new(directory.clone());
    machine.start(&mut DiskQueue::new(0, &mut requests));
    while let Some(request) = requests.pop() {
        let result = perform(request.op);
        let mut queue = DiskQueue::new(0, &mut requests);
        match machine.completed(request.token, result, &mut queue) {
            Ok(None) => {}
            Ok(Some(replayed)) => return Ok(replayed),
            Err(error) => return Err(error.to_string()),
        }
    }
    Err(format!("{directory}: reading it came to no end"))
}

/// Lists a directory by name.
pub(super) fn list(path: &FileName) -> Result<Vec<DirectoryEntry>, DiskError> {
    let mut entries = Vec::new();
    for entry in fs::read_dir(&**path).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let Ok(name) = entry.file_name().into_string() else { continue };
        let metadata = entry.metadata().map_err(failed)?;
        let kind = match () {
            () if metadata.is_file() => EntryKind::File,
            () if metadata.is_dir() => EntryKind::Directory,
            () => EntryKind::Other,
        };
        let len = if kind == EntryKind::File { metadata.len() } else { 0 };
        entries.push(DirectoryEntry { name, kind, len });
    }
    entries.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(entries)
}

/// Reads a small file whole.
pub(super) fn read_file(path: &FileName, bytes_max: u64) -> Result<Vec<u8>, DiskError> {
    let mut bytes = Vec::new();
    let file = File::open(&**path).map_err(failed)?;
    file.take(bytes_max.saturating_add(1)).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() as u64 > bytes_max { Err(DiskError::TooLarge) } else { Ok(bytes) }
}

fn perform(op: DiskOp) -> DiskResult {
    match op {
        DiskOp::List { path } => list(&path).map(DiskDone::Listed),
        DiskOp::ReadFile { path, bytes_max } => read_file(&path, bytes_max).map(DiskDone::Bytes),
        DiskOp::Open { path, create: false, .. } => {
            let file = File::open(&*path).map_err(failed)?;
            let len = file.metadata().map_err(failed)?.len();
            Ok(DiskDone::Opened { file: FileHandle::new(PlainFile(file)), len })
        }
        DiskOp::Read { file, position, len } => {
            let bytes = read(&file, position, len).map_err(failed)?;
            // The machines ask within the length that they were told.
            if bytes.is_empty() {
                return Err(DiskError::Other(INPUT_OUTPUT));
            }
            Ok(DiskDone::Read(MemoryRange::copy_of(&bytes)))
        }
        _ => Err(DiskError::Other(READ_ONLY)),
    }
}

fn read(file: &FileHandle, position: u64, len: usize) -> io::Result<Vec<u8>> {
    let PlainFile(file) = file.downcast().ok_or(io::ErrorKind::InvalidInput)?;
    read_at(file, position, len)
}

/// Reads up to `len` bytes, fewer only at the end of the file.
pub(super) fn read_at(file: &File, position: u64, len: usize) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; len];
    let mut filled = 0;
    while filled < len {
        match file.read_at(&mut bytes[filled..], position + filled as u64) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    bytes.truncate(filled);
    Ok(bytes)
}

fn failed(error: io::Error) -> DiskError {
    match error.kind() {
        io::ErrorKind::NotFound => DiskError::NotFound,
        io::ErrorKind::PermissionDenied => DiskError::Permission,
        _ => DiskError::Other(error.raw_os_error().unwrap_or(INPUT_OUTPUT)),
    }
}
