//! A disk that keeps no promise it did not make: what was not synced may be there after a power cut
//! or not, sector by sector, and names whose directory was not synced may be gone.

use std::any::Any;
use std::collections::BTreeMap;

use super::names::{Names, Node};
use crate::io::{
    BLOCK_BYTES, Buffer, DirectoryEntry, DiskDone, DiskError, DiskOp, DiskResult, EntryKind,
    FileHandle, FileName, FreeSpace, MemoryRange, OpenFile, OpenMode,
};
use crate::prng::Prng;

/// What the device writes as a whole or not at all.
const SECTOR_BYTES: usize = 512;
type Sector = [u8; SECTOR_BYTES];

/// How the disk misbehaves while it runs.
#[derive(Clone, Copy, Debug, Default)]
pub struct DiskFaults {
    /// Syncs that fail, out of a million; what they should have synced is never durable.
    pub sync_failures: u64,
    /// Writes that fail, out of a million.
    pub write_failures: u64,
    /// Requests that take long, out of a hundred.
    pub slow: u64,
}

/// What happened, for the report.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DiskCounts {
    /// Requests carried out.
    pub requests: u64,
    /// Power cuts.
    pub cuts: u64,
    /// Sectors that a cut took back to older bytes.
    pub sectors_lost: u64,
    /// Writes that a cut caught on their way.
    pub writes_torn: u64,
    /// Names that a cut took back.
    pub names_lost: u64,
    /// Syncs that failed.
    pub syncs_failed: u64,
    /// Requests refused because the disk was full.
    pub refused_full: u64,
    /// Blocks that a cut left as garbage while they were being written.
    pub blocks_shorn: u64,
}

impl DiskCounts {
    /// Adds another disk's counts.
    pub fn add(&mut self, other: &Self) {
        self.requests += other.requests;
        self.cuts += other.cuts;
        self.sectors_lost += other.sectors_lost;
        self.writes_torn += other.writes_torn;
        self.names_lost += other.names_lost;
        self.syncs_failed += other.syncs_failed;
        self.refused_full += other.refused_full;
        self.blocks_shorn += other.blocks_shorn;
    }
}

#[derive(Debug)]
struct SimFile {
    inode: u64,
    mode: OpenMode,
}

impl OpenFile for SimFile {
    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// The bytes a sector had since it was last durable.
#[derive(Debug, Clone)]
struct History {
    durable: Sector,
    /// What was written since, and when; the last is what reads see.
    versions: Vec<(u64, Sector)>,
}

#[derive(Debug, Clone, Default)]
struct Inode {
    data: Vec<u8>,
    durable_len: usize,
    dirty: BTreeMap<usize, History>,
    /// Counts writes, so that a sync knows what came before it.
    writes: u64,
}

impl Inode {
    fn sector(&self, index: usize) -> Sector {
        let mut sector = [0; SECTOR_BYTES];
        let start = index * SECTOR_BYTES;
        if start < self.data.len() {
            let end = self.data.len().min(start + SECTOR_BYTES);
            sector[..end - start].copy_from_slice(&self.data[start..end]);
        }
        sector
    }

    fn put(&mut self, index: usize, sector: &Sector) {
        let start = index * SECTOR_BYTES;
        if start < self.data.len() {
            let end = self.data.len().min(start + SECTOR_BYTES);
            self.data[start..end].copy_from_slice(&sector[..end - start]);
        }
    }

    fn write(&mut self, position: usize, bytes: &[u8], durable: bool) {
        self.writes += 1;
        let end = position + bytes.len();
        let first = position / SECTOR_BYTES;
        let before: Vec<Sector> =
            (first..end.div_ceil(SECTOR_BYTES)).map(|index| self.sector(index)).collect();
        if end > self.data.len() {
            self.data.resize(end, 0);
        }
        self.data[position..end].copy_from_slice(bytes);
        if durable {
            self.durable_len = self.durable_len.max(end);
            let last = end.div_ceil(SECTOR_BYTES);
            self.dirty.retain(|index, _| !(first..last).contains(index));
            return;
        }
        for (offset, old) in before.into_iter().enumerate() {
            let index = first + offset;
            let new = self.sector(index);
            let history = self
                .dirty
                .entry(index)
                .or_insert_with(|| History { durable: old, versions: Vec::new() });
            history.versions.push((self.writes, new));
        }
    }

    /// Makes what was written up to `count` durable.
    fn sync(&mut self, count: u64, len: usize) {
        self.durable_len = len;
        self.dirty.retain(|_, history| {
            let kept = history.versions.partition_point(|(written, _)| *written <= count);
            if kept > 0 {
                history.durable = history.versions[kept - 1].1;
                history.versions.drain(..kept);
            }
            !history.versions.is_empty()
        });
    }

    /// What is left after the power went. Counts the sectors that went back.
    fn cut(&mut self, prng: &mut Prng) -> u64 {
        let mut lost = 0;
        if self.durable_len != self.data.len() && prng.percent(50) {
            self.data.resize(self.durable_len, 0);
        }
        for (index, history) in std::mem::take(&mut self.dirty) {
            let choice = prng.below(history.versions.len() as u64 + 1) as usize;
            let sector = match choice.checked_sub(1) {
                None => history.durable,
                Some(version) => history.versions[version].1,
            };
            lost += u64::from(choice < history.versions.len());
            self.put(index, &sector);
        }
        self.durable_len = self.data.len();
        lost
    }
}

/// A request on its way.
#[derive(Debug)]
struct InFlight {
    op: DiskOp,
    /// For a sync: the writes and the length it covers.
    covers: (u64, usize),
}

/// The disk of one machine.
#[derive(Debug)]
pub struct SimDisk {
    names: Names,
    inodes: BTreeMap<u64, Inode>,
    next_inode: u64,
    in_flight: BTreeMap<u64, InFlight>,
    next_request: u64,
    capacity: u64,
    /// Faults now.
    pub faults: DiskFaults,
    /// What happened so far.
    pub counts: DiskCounts,
    prng: Prng,
}

impl SimDisk {
    /// An empty disk of `capacity` bytes with one directory.
    pub fn new(root: &str, capacity: u64, prng: Prng) -> Self {
        Self {
            names: Names::new(root),
            inodes: BTreeMap::new(),
            next_inode: 1,
            in_flight: BTreeMap::new(),
            next_request: 0,
            capacity,
            faults: DiskFaults::default(),
            counts: DiskCounts::default(),
            prng,
        }
    }

    /// Changes how much fits.
    pub fn set_capacity(&mut self, capacity: u64) {
        self.capacity = capacity;
    }

    /// Bytes in use, in whole blocks.
    pub fn used(&self) -> u64 {
        let blocks = |inode: &Inode| inode.data.len().next_multiple_of(BLOCK_BYTES) as u64;
        self.inodes.values().map(blocks).sum()
    }

    /// Takes a request on; answers its number and how long it will take, in nanoseconds.
    pub fn submit(&mut self, op: DiskOp) -> (u64, u64) {
        let covers = match &op {
            DiskOp::Sync { file } => {
                let inode = &self.inodes[&inode_of(file)];
                (inode.writes, inode.data.len())
            }
            _ => (0, 0),
        };
        let number = self.next_request;
        self.next_request += 1;
        self.in_flight.insert(number, InFlight { op, covers });
        let mut nanos = 10_000 + self.prng.below(200_000);
        if self.prng.percent(self.faults.slow) {
            nanos += self.prng.below(200_000_000);
        }
        (number, nanos)
    }

    /// Whether a request is a commit: a write that is durable when it completes.
    pub fn is_commit(op: &DiskOp) -> bool {
        let DiskOp::Write { file, .. } = op else { return false };
        file.downcast::<SimFile>().is_some_and(|file| file.mode == OpenMode::DirectSync)
    }

    /// A part of a file as a reader sees it now.
    pub fn peek(&self, file: &FileHandle, position: u64, len: u64) -> Vec<u8> {
        let data = &self.inodes[&inode_of(file)].data;
        let start = usize::try_from(position).expect("small files");
        data[start..start + usize::try_from(len).expect("small files")].to_vec()
    }

    /// Whether a request is still on its way: a cut may have taken it.
    pub fn is_in_flight(&self, number: u64) -> bool {
        self.in_flight.contains_key(&number)
    }

    /// Carries a request out.
    ///
    /// # Errors
    /// As a real disk would, and as the faults say.
    pub fn complete(&mut self, number: u64) -> DiskResult {
        let InFlight { op, covers } = self.in_flight.remove(&number).expect("submitted");
        self.counts.requests += 1;
        let failed = match &op {
            DiskOp::Sync { .. } | DiskOp::WriteFile { .. } | DiskOp::SyncDirectory { .. } => {
                self.prng.below(1_000_000) < self.faults.sync_failures
            }
            DiskOp::Write { .. } => self.prng.below(1_000_000) < self.faults.write_failures,
            _ => false,
        };
        if failed {
            self.counts.syncs_failed += 1;
            return Err(self.fail(&op));
        }
        let result = self.perform(op, covers);
        self.counts.refused_full += u64::from(matches!(result, Err(DiskError::Full)));
        result
    }

    /// A failed sync drops what it should have made durable, and lets reads go on seeing it.
    fn fail(&mut self, op: &DiskOp) -> DiskError {
        const EIO: i32 = 5;
        if let DiskOp::Sync { file } = op {
            let inode = self.inodes.get_mut(&inode_of(file)).expect("open");
            for history in inode.dirty.values_mut() {
                let durable = history.durable;
                history.versions.iter_mut().for_each(|(_, sector)| *sector = durable);
            }
        }
        DiskError::Other(EIO)
    }

    fn perform(&mut self, op: DiskOp, covers: (u64, usize)) -> DiskResult {
        match op {
            DiskOp::Open { path, mode, create } => self.open(&path, mode, create),
            DiskOp::Write { file, position, bytes } => self.write(&file, position, &bytes),
            DiskOp::Read { file, position, len } => Ok(self.read(&file, position, len)),
            DiskOp::Sync { file } => {
                let inode = self.inodes.get_mut(&inode_of(&file)).expect("open");
                inode.sync(covers.0, covers.1);
                Ok(DiskDone::Done)
            }
            DiskOp::Allocate { file, position, len } => {
                let end = usize::try_from(position + len).expect("small files");
                let inode = inode_of(&file);
                self.reserve(inode, end)?;
                let inode = self.inodes.get_mut(&inode).expect("open");
                if end > inode.data.len() {
                    inode.data.resize(end, 0);
                }
                Ok(DiskDone::Done)
            }
            DiskOp::SetLength { file, len } => {
                let inode = self.inodes.get_mut(&inode_of(&file)).expect("open");
                let len = usize::try_from(len).expect("small files");
                inode.data.resize(len, 0);
                inode.dirty.retain(|index, _| index * SECTOR_BYTES < len);
                Ok(DiskDone::Done)
            }
            DiskOp::ReadFile { path, bytes_max } => self.read_file(&path, bytes_max),
            DiskOp::WriteFile { path, bytes } => self.write_file(&path, &bytes),
            DiskOp::WriteAt { path, position, bytes } => {
                let inode = self.create(&path)?;
                let position = usize::try_from(position).expect("small files");
                self.reserve(inode, position + bytes.len())?;
                self.inodes.get_mut(&inode).expect("created").write(position, &bytes, false);
                Ok(DiskDone::Done)
            }
            DiskOp::Rename { from, to } => self.names.rename(&from, &to).map(|()| DiskDone::Done),
            DiskOp::Remove { path } => self.names.remove(&path).map(|()| DiskDone::Done),
            DiskOp::CreateDirectory { path } => {
                self.names.create_directory(&path).map(|()| DiskDone::Done)
            }
            DiskOp::RemoveDirectory { path } => {
                self.names.remove_directory(&path).map(|()| DiskDone::Done)
            }
            DiskOp::SyncDirectory { path } => self.names.sync(&path).map(|()| DiskDone::Done),
            DiskOp::List { path } => self.list(&path),
            DiskOp::FreeSpace { .. } => {
                let free_bytes = self.capacity.saturating_sub(self.used());
                Ok(DiskDone::Free(FreeSpace { free_bytes, total_bytes: self.capacity }))
            }
        }
    }

    fn reserve(&self, inode: u64, end: usize) -> Result<(), DiskError> {
        let held = self.inodes.get(&inode).map_or(0, |inode| inode.data.len());
        let more = end.saturating_sub(held.next_multiple_of(BLOCK_BYTES)) as u64;
        if more > 0 && self.used() + more > self.capacity {
            return Err(DiskError::Full);
        }
        Ok(())
    }

    fn create(&mut self, path: &FileName) -> Result<u64, DiskError> {
        match self.names.find(path) {
            Some(Node::File(inode)) => Ok(inode),
            Some(Node::Directory(_)) => Err(DiskError::Other(21)),
            None => {
                let inode = self.next_inode;
                self.names.create_file(path, inode)?;
                self.next_inode += 1;
                self.inodes.insert(inode, Inode::default());
                Ok(inode)
            }
        }
    }

    fn open(&mut self, path: &FileName, mode: OpenMode, create: bool) -> DiskResult {
        let inode = match self.names.find(path) {
            Some(Node::File(inode)) => inode,
            _ if create => self.create(path)?,
            _ => return Err(DiskError::NotFound),
        };
        let len = self.inodes[&inode].data.len() as u64;
        Ok(DiskDone::Opened { file: FileHandle::new(SimFile { inode, mode }), len })
    }

    fn write(&mut self, file: &FileHandle, position: u64, bytes: &MemoryRange) -> DiskResult {
        let SimFile { inode, mode } = file.downcast().expect("a simulated file");
        if matches!(mode, OpenMode::Direct | OpenMode::DirectSync) {
            assert!(position.is_multiple_of(BLOCK_BYTES as u64), "direct writes are aligned");
            assert!(bytes.len().is_multiple_of(BLOCK_BYTES), "direct writes are whole blocks");
        }
        let position = usize::try_from(position).expect("small files");
        self.reserve(*inode, position + bytes.len())?;
        let durable = *mode == OpenMode::DirectSync;
        self.inodes.get_mut(inode).expect("open").write(position, bytes, durable);
        Ok(DiskDone::Done)
    }

    fn read(&self, file: &FileHandle, position: u64, len: usize) -> DiskDone {
        let data = &self.inodes[&inode_of(file)].data;
        let start = usize::try_from(position).expect("small files").min(data.len());
        let end = data.len().min(start + len);
        let mut buffer = Buffer::with_capacity(len);
        buffer.extend(&data[start..end]);
        DiskDone::Read(buffer.range(0..end - start))
    }

    fn read_file(&self, path: &FileName, bytes_max: u64) -> DiskResult {
        let Some(Node::File(inode)) = self.names.find(path) else {
            return Err(DiskError::NotFound);
        };
        let data = &self.inodes[&inode].data;
        if data.len() as u64 > bytes_max {
            return Err(DiskError::TooLarge);
        }
        Ok(DiskDone::Bytes(data.clone()))
    }

    fn write_file(&mut self, path: &FileName, bytes: &[u8]) -> DiskResult {
        let inode = self.create(path)?;
        self.reserve(inode, bytes.len())?;
        let inode = self.inodes.get_mut(&inode).expect("created");
        *inode = Inode { data: bytes.to_vec(), durable_len: bytes.len(), ..Inode::default() };
        Ok(DiskDone::Done)
    }

    fn list(&self, path: &FileName) -> DiskResult {
        let entries = self.names.list(path).ok_or(DiskError::NotFound)?;
        let entry = |(name, node): (String, Node)| match node {
            Node::File(inode) => {
                let len = self.inodes[&inode].data.len() as u64;
                DirectoryEntry { name, kind: EntryKind::File, len }
            }
            Node::Directory(_) => DirectoryEntry { name, kind: EntryKind::Directory, len: 0 },
        };
        Ok(DiskDone::Listed(entries.into_iter().map(entry).collect()))
    }

    /// The process that asked is gone: what was on its way arrives nevertheless, and nobody hears.
    pub fn abandon(&mut self) {
        for number in self.in_flight.keys().copied().collect::<Vec<_>>() {
            drop(self.complete(number));
        }
    }

    /// The power goes. What was on its way may have arrived in part; what was not synced may be lost
    /// in part.
    pub fn cut(&mut self) {
        self.counts.cuts += 1;
        let mut prng = self.prng.fork();
        for (_, InFlight { op, covers }) in std::mem::take(&mut self.in_flight) {
            self.cut_request(op, covers, &mut prng);
        }
        for inode in self.inodes.values_mut() {
            self.counts.sectors_lost += inode.cut(&mut prng);
        }
        self.counts.names_lost += self.names.cut(&mut prng);
        let live = self.names.inodes();
        self.inodes.retain(|inode, _| live.contains(inode));
    }

    fn cut_request(&mut self, op: DiskOp, covers: (u64, usize), prng: &mut Prng) {
        match op {
            DiskOp::Write { file, position, bytes } => {
                self.counts.writes_torn += 1;
                let position = usize::try_from(position).expect("small files");
                let shorn = prng.percent(10);
                let inode = self.inodes.get_mut(&inode_of(&file)).expect("open");
                for (index, sector) in bytes.chunks(SECTOR_BYTES).enumerate() {
                    if prng.percent(50) {
                        inode.write(position + index * SECTOR_BYTES, sector, true);
                    }
                }
                if shorn && !bytes.is_empty() {
                    // The device was in the middle of a block: what it held before is gone as well.
                    let block = prng.below((bytes.len() / BLOCK_BYTES).max(1) as u64) as usize;
                    let garbage = vec![0x5a; BLOCK_BYTES.min(bytes.len())];
                    inode.write(position + block * BLOCK_BYTES, &garbage, true);
                    self.counts.blocks_shorn += 1;
                }
            }
            DiskOp::WriteFile { path, bytes } => {
                let Ok(inode) = self.create(&path) else { return };
                let inode = self.inodes.get_mut(&inode).expect("created");
                match prng.below(3) {
                    0 => {}
                    1 => *inode = Inode::default(),
                    _ => {
                        let kept = prng.below(bytes.len() as u64 + 1) as usize;
                        *inode = Inode {
                            data: bytes[..kept].to_vec(),
                            durable_len: kept,
                            ..Inode::default()
                        };
                    }
                }
            }
            // Anything else is done or not.
            other if prng.percent(50) => drop(self.perform(other, covers)),
            _ => {}
        }
    }

    /// Flips one bit of a file, durably. Returns whether there was one to flip.
    pub fn rot(&mut self, path: &FileName, prng: &mut Prng) -> bool {
        let Some(Node::File(inode)) = self.names.find(path) else { return false };
        let data = &mut self.inodes.get_mut(&inode).expect("named").data;
        if data.is_empty() {
            return false;
        }
        let at = prng.below(data.len() as u64) as usize;
        data[at] ^= 1 << prng.below(8);
        true
    }

    /// The paths of all files, for whoever wants to damage one.
    pub fn files(&self) -> Vec<FileName> {
        self.names.files()
    }
}

fn inode_of(file: &FileHandle) -> u64 {
    file.downcast::<SimFile>().expect("a simulated file").inode
}
