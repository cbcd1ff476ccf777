//! A disk with a volatile cache: one file of a FUSE file system. What is written counts from the next
//! flush on; when the power is cut, any subset of the sectors written since then is lost.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, UNIX_EPOCH};

use fuser::{
    BackgroundSession, Config, Errno, FileAttr, FileHandle, FileType, Filesystem, FopenFlags,
    Generation, INodeNo, LockOwner, OpenFlags, ReplyAttr, ReplyData, ReplyEmpty, ReplyEntry,
    ReplyOpen, ReplyWrite, Request, WriteFlags,
};
use millstream::prng::Prng;

use crate::broker::text;

const NAME: &str = "disk.img";
const SECTOR_BYTES: u64 = 512;
const TTL: Duration = Duration::from_secs(1);

/// What a disk has done.
#[derive(Clone, Copy, Default, Debug)]
pub struct Counts {
    pub flushes: u64,
    pub written_sectors: u64,
    /// Sectors that were in the cache when the power was cut, and those of them that were lost.
    pub volatile_sectors: u64,
    pub lost_sectors: u64,
}

struct State {
    /// What outlasts a cut.
    durable: File,
    /// What reads see.
    present: File,
    volatile: BTreeSet<u64>,
    powered: bool,
    counts: Counts,
}

impl State {
    fn write(&mut self, offset: u64, data: &[u8]) -> std::io::Result<()> {
        self.present.write_all_at(data, offset)?;
        let end = (offset + data.len() as u64).div_ceil(SECTOR_BYTES);
        self.volatile.extend(offset / SECTOR_BYTES..end);
        self.counts.written_sectors += data.len() as u64 / SECTOR_BYTES;
        Ok(())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.counts.flushes += 1;
        for (first, count) in runs(&std::mem::take(&mut self.volatile)) {
            copy(&self.present, &self.durable, first, count)?;
        }
        Ok(())
    }

    fn cut(&mut self, prng: &mut Prng) -> std::io::Result<()> {
        self.powered = false;
        let volatile = std::mem::take(&mut self.volatile);
        self.counts.volatile_sectors += volatile.len() as u64;
        // Sometimes nothing survives, sometimes nearly everything.
        let lost_percent = [100, 50, 50, 5][prng.below(4) as usize];
        let (mut lost, mut kept) = (BTreeSet::new(), BTreeSet::new());
        for sector in volatile {
            if prng.percent(lost_percent) {
                lost.insert(sector)
            } else {
                kept.insert(sector)
            };
        }
        self.counts.lost_sectors += lost.len() as u64;
        for (first, count) in runs(&kept) {
            copy(&self.present, &self.durable, first, count)?;
        }
        for (first, count) in runs(&lost) {
            copy(&self.durable, &self.present, first, count)?;
        }
        Ok(())
    }
}

/// Neighbouring sectors as ranges, none longer than a mebibyte.
fn runs(sectors: &BTreeSet<u64>) -> Vec<(u64, u64)> {
    let mut runs: Vec<(u64, u64)> = Vec::new();
    for sector in sectors {
        match runs.last_mut() {
            Some((first, count)) if *first + *count == *sector && *count < 2048 => *count += 1,
            _ => runs.push((*sector, 1)),
        }
    }
    runs
}

fn copy(from: &File, to: &File, first: u64, count: u64) -> std::io::Result<()> {
    let mut bytes = vec![0; (count * SECTOR_BYTES) as usize];
    from.read_exact_at(&mut bytes, first * SECTOR_BYTES)?;
    to.write_all_at(&bytes, first * SECTOR_BYTES)
}

/// The disk, mounted as a folder with one file.
pub struct Disk {
    state: Arc<Mutex<State>>,
    session: Option<BackgroundSession>,
    folder: PathBuf,
}

impl Disk {
    /// A new disk of zeros below `parent`.
    pub fn new(parent: &Path, bytes: u64) -> Result<Self, String> {
        let open = |name: &str| {
            let path = parent.join(name);
            let file = File::options().read(true).write(true).create_new(true).open(path)?;
            file.set_len(bytes).map(|()| file)
        };
        let state = State {
            durable: open("durable").map_err(text)?,
            present: open("present").map_err(text)?,
            volatile: BTreeSet::new(),
            powered: true,
            counts: Counts::default(),
        };
        let state = Arc::new(Mutex::new(state));
        let folder = parent.join("fuse");
        std::fs::create_dir(&folder).map_err(text)?;
        let service = Service { state: Arc::clone(&state), bytes };
        let session = fuser::spawn_mount(service, &folder, &Config::default())
            .map_err(|error| format!("a FUSE file system cannot be mounted: {error}"))?;
        Ok(Self { state, session: Some(session), folder })
    }

    /// The file.
    pub fn path(&self) -> PathBuf {
        self.folder.join(NAME)
    }

    /// Cuts the power: what is volatile is lost or not, and nothing is answered any more.
    pub fn cut(&self, prng: &mut Prng) -> Result<(), String> {
        lock(&self.state).cut(prng).map_err(text)
    }

    /// Gives the disk power again.
    pub fn power_on(&self) {
        lock(&self.state).powered = true;
    }

    pub fn counts(&self) -> Counts {
        lock(&self.state).counts
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // A disk that still has a user stays mounted until the process and its mounts are gone.
        if let Some(session) = self.session.take() {
            let _ = session.umount_and_join();
        }
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().expect("no thread panics with the lock")
}

/// What the kernel asks.
struct Service {
    state: Arc<Mutex<State>>,
    bytes: u64,
}

const FILE: INodeNo = INodeNo(2);

impl Service {
    fn attributes(&self, inode: INodeNo) -> FileAttr {
        let folder = inode == INodeNo::ROOT;
        FileAttr {
            ino: inode,
            size: if folder { 0 } else { self.bytes },
            blocks: if folder { 0 } else { self.bytes / SECTOR_BYTES },
            atime: UNIX_EPOCH,
            mtime: UNIX_EPOCH,
            ctime: UNIX_EPOCH,
            crtime: UNIX_EPOCH,
            kind: if folder { FileType::Directory } else { FileType::RegularFile },
            perm: if folder { 0o700 } else { 0o600 },
            nlink: 1,
            uid: 0,
            gid: 0,
            rdev: 0,
            flags: 0,
            blksize: 4096,
        }
    }
}

impl Filesystem for Service {
    fn lookup(&self, _request: &Request, _parent: INodeNo, name: &OsStr, reply: ReplyEntry) {
        if name == NAME {
            reply.entry(&TTL, &self.attributes(FILE), Generation(0));
        } else {
            reply.error(Errno::ENOENT);
        }
    }

    fn getattr(
        &self,
        _request: &Request,
        inode: INodeNo,
        _handle: Option<FileHandle>,
        reply: ReplyAttr,
    ) {
        reply.attr(&TTL, &self.attributes(inode));
    }

    fn open(&self, _request: &Request, _inode: INodeNo, _flags: OpenFlags, reply: ReplyOpen) {
        // No page cache above the disk: a cut leaves nothing behind that was lost.
        reply.opened(FileHandle(0), FopenFlags::FOPEN_DIRECT_IO);
    }

    fn read(
        &self,
        _request: &Request,
        _inode: INodeNo,
        _handle: FileHandle,
        offset: u64,
        size: u32,
        _flags: OpenFlags,
        _owner: Option<LockOwner>,
        reply: ReplyData,
    ) {
        let state = lock(&self.state);
        let end = (offset + u64::from(size)).min(self.bytes);
        let mut bytes = vec![0; end.saturating_sub(offset) as usize];
        match state.present.read_exact_at(&mut bytes, offset) {
            Ok(()) if state.powered => reply.data(&bytes),
            _ => reply.error(Errno::EIO),
        }
    }

    fn write(
        &self,
        _request: &Request,
        _inode: INodeNo,
        _handle: FileHandle,
        offset: u64,
        data: &[u8],
        _write_flags: WriteFlags,
        _flags: OpenFlags,
        _owner: Option<LockOwner>,
        reply: ReplyWrite,
    ) {
        let mut state = lock(&self.state);
        if state.powered && state.write(offset, data).is_ok() {
            reply.written(data.len() as u32);
        } else {
            reply.error(Errno::EIO);
        }
    }

    fn fsync(
        &self,
        _request: &Request,
        _inode: INodeNo,
        _handle: FileHandle,
        _only_data: bool,
        reply: ReplyEmpty,
    ) {
        let mut state = lock(&self.state);
        if state.powered && state.flush().is_ok() {
            reply.ok();
        } else {
            reply.error(Errno::EIO);
        }
    }
}
