//! The cold disk requests: opening, naming, listing, small files. They may wait for the file
//! system's journal, so they run on threads beside the cores and come back as inputs.

use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::FileExt as _;

use rustix::fs::{Mode, OFlags};

use super::file::{Closer, RuntimeFile};
use super::ring::{RingOp, error_from};
use crate::io::{
    DirectoryEntry, DiskDone, DiskError, DiskOp, DiskResult, EntryKind, FileName, FreeSpace,
    OpenMode,
};

/// Sorts a request: `Ok` for the ring, `Err` for [`perform`] on a thread.
///
/// # Errors
/// The request itself, when it is not one for the ring.
pub fn for_ring(op: DiskOp) -> Result<RingOp, DiskOp> {
    match op {
        DiskOp::Write { file, position, bytes } => Ok(RingOp::Write { file, position, bytes }),
        DiskOp::Read { file, position, len } => Ok(RingOp::Read { file, position, len }),
        DiskOp::Sync { file } => Ok(RingOp::Sync { file }),
        DiskOp::Allocate { file, position, len } => Ok(RingOp::Allocate { file, position, len }),
        other => Err(other),
    }
}

/// Performs a cold request and waits for it.
///
/// # Errors
/// What the kernel answered.
///
/// # Panics
/// On a request that belongs to the ring.
pub fn perform(op: DiskOp, closer: &Closer) -> DiskResult {
    match op {
        DiskOp::Open { path, mode, create } => open(&path, mode, create, closer),
        DiskOp::SetLength { file, len } => done(ftruncate(RuntimeFile::of(&file), len)),
        DiskOp::ReadFile { path, bytes_max } => read_file(&path, bytes_max),
        DiskOp::WriteFile { path, bytes } => done(write_file(&path, &bytes)),
        DiskOp::WriteAt { path, position, bytes } => done(write_at(&path, position, &bytes)),
        DiskOp::Rename { from, to } => done(fs::rename(&*from, &*to)),
        DiskOp::Remove { path } => done(fs::remove_file(&*path)),
        DiskOp::CreateDirectory { path } => done(create_directory(&path)),
        DiskOp::RemoveDirectory { path } => done(fs::remove_dir_all(&*path)),
        DiskOp::SyncDirectory { path } => done(File::open(&*path).and_then(|dir| dir.sync_all())),
        DiskOp::List { path } => list(&path),
        DiskOp::FreeSpace { path } => free_space(&path),
        DiskOp::Write { .. }
        | DiskOp::Read { .. }
        | DiskOp::Sync { .. }
        | DiskOp::Allocate { .. } => unreachable!("{op:?} belongs to the ring"),
    }
}

fn failed(error: &io::Error) -> DiskError {
    error_from(error.raw_os_error().unwrap_or(libc::EIO))
}

fn done(result: io::Result<()>) -> DiskResult {
    match result {
        Ok(()) => Ok(DiskDone::Done),
        Err(error) => Err(failed(&error)),
    }
}

fn ftruncate(file: BorrowedFd<'_>, len: u64) -> io::Result<()> {
    Ok(rustix::fs::ftruncate(file, len)?)
}

fn open(path: &FileName, mode: OpenMode, create: bool, closer: &Closer) -> DiskResult {
    let access = match mode {
        OpenMode::Direct => OFlags::RDWR | OFlags::DIRECT,
        OpenMode::DirectSync => OFlags::RDWR | OFlags::DIRECT | OFlags::DSYNC,
        OpenMode::Buffered => OFlags::RDWR,
        OpenMode::ReadOnly => OFlags::RDONLY,
    };
    let creating = if create { OFlags::CREATE } else { OFlags::empty() };
    let flags = access | creating | OFlags::CLOEXEC;
    let opened = rustix::fs::open(&**path, flags, Mode::from_raw_mode(0o644)).and_then(|file| {
        let len = u64::try_from(rustix::fs::fstat(file.as_fd())?.st_size).unwrap_or(0);
        Ok((file, len))
    });
    match opened {
        Ok((file, len)) => {
            Ok(DiskDone::Opened { file: RuntimeFile::handle(file, closer.clone()), len })
        }
        Err(errno) => Err(error_from(errno.raw_os_error())),
    }
}

fn read_file(path: &FileName, bytes_max: u64) -> DiskResult {
    let mut bytes = Vec::new();
    File::open(&**path)
        .and_then(|file| file.take(bytes_max + 1).read_to_end(&mut bytes))
        .map_err(|error| failed(&error))?;
    if bytes.len() as u64 > bytes_max {
        Err(DiskError::TooLarge)
    } else {
        Ok(DiskDone::Bytes(bytes))
    }
}

fn write_file(path: &FileName, bytes: &[u8]) -> io::Result<()> {
    let mut file = File::create(&**path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

fn write_at(path: &FileName, position: u64, bytes: &[u8]) -> io::Result<()> {
    let file = File::options().write(true).create(true).truncate(false).open(&**path)?;
    file.write_all_at(bytes, position)
}

fn create_directory(path: &FileName) -> io::Result<()> {
    match fs::create_dir(&**path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        other => other,
    }
}

fn list(path: &FileName) -> DiskResult {
    let read = || -> io::Result<Vec<DirectoryEntry>> {
        let mut entries = Vec::new();
        for entry in fs::read_dir(&**path)? {
            let entry = entry?;
            let Ok(name) = entry.file_name().into_string() else { continue };
            let metadata = entry.metadata()?;
            let (kind, len) = if metadata.is_file() {
                (EntryKind::File, metadata.len())
            } else if metadata.is_dir() {
                (EntryKind::Directory, 0)
            } else {
                (EntryKind::Other, 0)
            };
            entries.push(DirectoryEntry { name, kind, len });
        }
        entries.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(entries)
    };
    read().map(DiskDone::Listed).map_err(|error| failed(&error))
}

fn free_space(path: &FileName) -> DiskResult {
    let stat = rustix::fs::statvfs(&**path).map_err(|errno| error_from(errno.raw_os_error()))?;
    Ok(DiskDone::Free(FreeSpace {
        free_bytes: stat.f_bavail * stat.f_frsize,
        total_bytes: stat.f_blocks * stat.f_frsize,
    }))
}
