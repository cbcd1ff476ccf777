//! The first shard's look at the data directory: whose it is, how the last life ended, and what is
//! left of it.

use super::strays::Strays;
use super::{Effect, Exit, Message, Shard};
use crate::io::{
    DirectoryEntry, DiskDone, DiskError, DiskOp, DiskQueue, DiskResult, EntryKind, FileName,
};
use crate::metadata::Image;
use crate::planted::{Bug, planted};
use crate::store::{DELETED_SUFFIX, Owner};
use crate::types::{NodeId, Now, ShardId, Uuid};

/// Kafka's file for the ids of cluster, node and directory.
const META_PROPERTIES: &str = "meta.properties";
const META_BYTES_MAX: u64 = 64 << 10;
/// There after a clean stop only.
pub(super) const CLEAN_MARKER: &str = "clean-shutdown";
const WAL: &str = "wal";
const METADATA: &str = "metadata";
const SNAPSHOT_SUFFIX: &str = ".snapshot";
const SNAPSHOT_BYTES_MAX: u64 = 1 << 31;

/// What the first shard asked the disk for, outside of its store.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u32)]
pub(super) enum Asked {
    ListRoot,
    ReadMeta,
    WriteMeta,
    RenameMeta,
    MakeWal,
    MakeMetadata,
    RemoveMarker,
    SyncRoot,
    ListWal,
    ListMetadata,
    ReadSnapshot,
    WriteSnapshot,
    RenameSnapshot,
    SyncSnapshot,
    WriteMarker,
    SyncMarker,
    /// An old write-ahead log gets a name that says that it goes.
    RenameWal,
    SyncWals,
    /// Whose a directory is that no topic of today has.
    ReadOwner,
    RenameStray,
    SyncStrays,
    /// Nobody waits for it.
    Tidy,
}

const ASKED: [Asked; 22] = [
    Asked::ListRoot,
    Asked::ReadMeta,
    Asked::WriteMeta,
    Asked::RenameMeta,
    Asked::MakeWal,
    Asked::MakeMetadata,
    Asked::RemoveMarker,
    Asked::SyncRoot,
    Asked::ListWal,
    Asked::ListMetadata,
    Asked::ReadSnapshot,
    Asked::WriteSnapshot,
    Asked::RenameSnapshot,
    Asked::SyncSnapshot,
    Asked::WriteMarker,
    Asked::SyncMarker,
    Asked::RenameWal,
    Asked::SyncWals,
    Asked::ReadOwner,
    Asked::RenameStray,
    Asked::SyncStrays,
    Asked::Tidy,
];

/// What was found.
#[derive(Debug, Default)]
pub(super) struct Boot {
    entries: Vec<DirectoryEntry>,
    pub(super) cluster_id: Uuid,
    pub(super) directory_id: Uuid,
    /// The last life ended as it should.
    pub(super) clean: bool,
    pub(super) wals: Vec<(u64, FileName)>,
    /// Write-ahead logs that are on their way out.
    doomed: Vec<FileName>,
    renames_missing: u32,
    /// Newest last.
    pub(super) snapshots: Vec<String>,
    pub(super) image: Option<Image>,
    pub(super) strays: Strays,
}

/// The topic and the partition whose directory has this name.
pub(super) fn partition_named(name: &str) -> Option<(&str, u32)> {
    let (topic, partition) = name.rsplit_once('-')?;
    Some((topic, partition.parse().ok()?))
}

impl Boot {
    fn has(&self, name: &str) -> bool {
        self.entries.iter().any(|entry| entry.name == name)
    }

    /// A partition's directory where no broker of ours can have made one: the write-ahead log is
    /// there before the first partition.
    fn partition_of_others(&self) -> Option<String> {
        let is_partition = |name: &&str| partition_named(name).is_some();
        if self.has(WAL) { None } else { self.directories().find(is_partition).map(str::to_owned) }
    }

    /// The names of all directories.
    pub(super) fn directories(&self) -> impl Iterator<Item = &str> {
        let directories = self.entries.iter().filter(|entry| entry.kind == EntryKind::Directory);
        directories.map(|entry| entry.name.as_str())
    }
}

impl Shard {
    pub(super) fn ask_outside(&mut self, asked: Asked, op: DiskOp) {
        let owner = Owner::Outside(0).encode();
        DiskQueue::new(owner, &mut self.disk_requests).push(asked as u32, op);
    }

    pub(super) fn root(&self) -> FileName {
        self.director.as_ref().expect("only the first shard boots").root.clone()
    }

    pub(super) fn boot(&mut self) -> &mut Boot {
        &mut self.director.as_mut().expect("only the first shard boots").boot
    }

    pub(super) fn begin(&mut self, _now: Now) {
        if self.director.is_some() {
            let path = self.root();
            self.ask_outside(Asked::ListRoot, DiskOp::List { path });
        }
    }

    pub(super) fn boot_answered(&mut self, now: Now, token: u32, result: DiskResult) {
        let asked = ASKED[token as usize];
        let done = match (asked, result) {
            (Asked::Tidy, _) => return,
            (_, Ok(done)) => done,
            (Asked::ReadSnapshot | Asked::ReadOwner, Err(_)) => DiskDone::Bytes(Vec::new()),
            (Asked::WriteSnapshot, Err(DiskError::Full)) => return self.snapshot_refused(now),
            (_, Err(error)) => return self.boot_failed(asked, error),
        };
        match (asked, done) {
            (Asked::ListRoot, DiskDone::Listed(entries)) => self.root_listed(entries),
            (Asked::ReadMeta, DiskDone::Bytes(bytes)) => self.take_meta(&bytes),
            (Asked::WriteMeta, _) => {
                let root = self.root();
                let (from, to) =
                    (root.join(&temporary(META_PROPERTIES)), root.join(META_PROPERTIES));
                self.ask_outside(Asked::RenameMeta, DiskOp::Rename { from, to });
            }
            (Asked::RenameMeta, _) => self.make_directories(),
            (Asked::MakeWal, _) => {
                let path = self.root().join(METADATA);
                self.ask_outside(Asked::MakeMetadata, DiskOp::CreateDirectory { path });
            }
            (Asked::MakeMetadata, _) => self.remove_marker(),
            (Asked::RemoveMarker, _) => {
                let path = self.root();
                self.ask_outside(Asked::SyncRoot, DiskOp::SyncDirectory { path });
            }
            (Asked::SyncRoot, _) => {
                let path = self.root().join(WAL);
                self.ask_outside(Asked::ListWal, DiskOp::List { path });
            }
            (Asked::ListWal, DiskDone::Listed(entries)) => self.wal_listed(&entries),
            (Asked::ListMetadata, DiskDone::Listed(entries)) => self.metadata_listed(&entries),
            (Asked::ReadSnapshot, DiskDone::Bytes(bytes)) => self.take_snapshot(&bytes),
            (Asked::WriteSnapshot, _) => self.snapshot_written(),
            (Asked::RenameSnapshot, _) if planted(Bug::ForgetSnapshotDirectory) => {
                self.snapshot_durable(now);
            }
            (Asked::RenameSnapshot, _) => {
                let path = self.root().join(METADATA);
                self.ask_outside(Asked::SyncSnapshot, DiskOp::SyncDirectory { path });
            }
            (Asked::SyncSnapshot, _) => self.snapshot_durable(now),
            (Asked::RenameWal, _) => self.wal_renamed(),
            (Asked::SyncWals, _) => self.remove_wals(),
            (Asked::ReadOwner, DiskDone::Bytes(bytes)) => self.owner_read(&bytes),
            (Asked::RenameStray, _) => self.stray_renamed(),
            (Asked::SyncStrays, _) => self.strays_cleared(),
            (Asked::WriteMarker, _) => {
                let path = self.root();
                self.ask_outside(Asked::SyncMarker, DiskOp::SyncDirectory { path });
            }
            (Asked::SyncMarker, _) => self.effects.push(Effect::Exit(Exit::Stopped)),
            (asked, done) => unreachable!("{asked:?} was answered by {done:?}"),
        }
    }

    fn boot_failed(&mut self, asked: Asked, error: DiskError) {
        let root = self.root();
        self.fail(format_args!("the data directory {root} cannot be used ({asked:?}): {error}"));
    }

    fn root_listed(&mut self, entries: Vec<DirectoryEntry>) {
        let root = self.root();
        for entry in &entries {
            if entry.name.ends_with(DELETED_SUFFIX) && entry.kind == EntryKind::Directory {
                let path = root.join(&entry.name);
                self.ask_outside(Asked::Tidy, DiskOp::RemoveDirectory { path });
            }
        }
        self.boot().entries = entries;
        if let Some(name) = self.boot().partition_of_others() {
            return self.fail(format_args!(
                "{root} has the directory {name} of a partition, but no write-ahead log: these are \
                 the files of another broker, such as Apache Kafka, or the directory \"{WAL}\" is \
                 lost; put it back, or start with an empty directory"
            ));
        }
        if self.boot().has(META_PROPERTIES) {
            let (path, bytes_max) = (root.join(META_PROPERTIES), META_BYTES_MAX);
            return self.ask_outside(Asked::ReadMeta, DiskOp::ReadFile { path, bytes_max });
        }
        if self.boot().has(WAL) {
            return self.fail(format_args!(
                "{root} has data but no {META_PROPERTIES}: it cannot be told whose it is; put the \
                 file back, or start with an empty directory"
            ));
        }
        let prng = &mut self.parts.prng;
        let (cluster_id, directory_id) =
            (Uuid::from_random(|| prng.next_u64()), Uuid::from_random(|| prng.next_u64()));
        let node = self.parts.identity.node;
        self.boot().cluster_id = cluster_id;
        self.boot().directory_id = directory_id;
        let bytes = format!(
            "version=1\ncluster.id={cluster_id}\nnode.id={node}\ndirectory.id={directory_id}\n"
        )
        .into_bytes();
        let path = root.join(&temporary(META_PROPERTIES));
        self.ask_outside(Asked::WriteMeta, DiskOp::WriteFile { path, bytes });
    }

    fn take_meta(&mut self, bytes: &[u8]) {
        let root = self.root();
        let text = String::from_utf8_lossy(bytes);
        let value = |name: &str| {
            let lines = text.lines().filter(|line| !line.starts_with('#'));
            let mut pairs = lines.filter_map(|line| line.split_once('='));
            pairs.find(|(key, _)| key.trim() == name).map(|(_, value)| value.trim().to_owned())
        };
        let id = |name: &str| value(name).and_then(|value| value.parse::<Uuid>().ok());
        let (Some(cluster_id), Some(directory_id)) = (id("cluster.id"), id("directory.id")) else {
            return self.fail(format_args!(
                "{root}/{META_PROPERTIES} has no valid cluster.id and directory.id"
            ));
        };
        let node = value("node.id").and_then(|value| value.parse().ok()).map(NodeId::new);
        let own = self.parts.identity.node;
        if node != Some(own) {
            let theirs = node.map_or("none".to_owned(), |node| node.to_string());
            return self.fail(format_args!(
                "{root} belongs to node.id {theirs}, this broker has node.id {own}: use another \
                 directory, or set node.id"
            ));
        }
        self.boot().cluster_id = cluster_id;
        self.boot().directory_id = directory_id;
        self.make_directories();
    }

    fn make_directories(&mut self) {
        let path = self.root().join(WAL);
        self.ask_outside(Asked::MakeWal, DiskOp::CreateDirectory { path });
    }

    /// The marker goes before anything is appended, so that it never stands beside newer data.
    fn remove_marker(&mut self) {
        let root = self.root();
        let clean = self.boot().has(CLEAN_MARKER);
        self.boot().clean = clean;
        if clean {
            let path = root.join(CLEAN_MARKER);
            self.ask_outside(Asked::RemoveMarker, DiskOp::Remove { path });
        } else {
            self.ask_outside(Asked::SyncRoot, DiskOp::SyncDirectory { path: root });
        }
    }

    fn wal_listed(&mut self, entries: &[DirectoryEntry]) {
        let parent = self.root().join(WAL);
        for entry in entries.iter().filter(|entry| entry.name.ends_with(DELETED_SUFFIX)) {
            let path = parent.join(&entry.name);
            self.ask_outside(Asked::Tidy, DiskOp::RemoveDirectory { path });
        }
        let wals = entries.iter().filter_map(|entry| {
            let wal_id = u64::from_str_radix(&entry.name, 16).ok()?;
            (entry.kind == EntryKind::Directory && entry.name.len() == 16)
                .then(|| (wal_id, parent.join(&entry.name)))
        });
        self.boot().wals = wals.collect();
        let path = self.root().join(METADATA);
        self.ask_outside(Asked::ListMetadata, DiskOp::List { path });
    }

    fn metadata_listed(&mut self, entries: &[DirectoryEntry]) {
        let names = entries.iter().map(|entry| entry.name.clone());
        self.boot().snapshots = names.filter(|name| name.ends_with(SNAPSHOT_SUFFIX)).collect();
        self.read_snapshot();
    }

    /// Reads the newest snapshot that has not been tried.
    fn read_snapshot(&mut self) {
        let parent = self.root().join(METADATA);
        match self.boot().snapshots.last() {
            Some(name) => {
                let (path, bytes_max) = (parent.join(name), SNAPSHOT_BYTES_MAX);
                self.ask_outside(Asked::ReadSnapshot, DiskOp::ReadFile { path, bytes_max });
            }
            None => self.booted(),
        }
    }

    fn take_snapshot(&mut self, bytes: &[u8]) {
        let own = self.boot().cluster_id;
        match Image::decode_snapshot(bytes) {
            Some(image) if image.cluster_id == own => {
                self.boot().image = Some(image);
                self.booted();
            }
            Some(image) => {
                let (root, theirs) = (self.root(), image.cluster_id);
                self.fail(format_args!(
                    "{root}/{META_PROPERTIES} names the cluster {own}, but the data are of the \
                     cluster {theirs}: put the right file back, or start with an empty directory"
                ));
            }
            None => {
                // Half written at a power cut: the one before it is whole.
                self.boot().snapshots.pop();
                self.read_snapshot();
            }
        }
    }

    /// Has the shards read the write-ahead logs, each some.
    fn booted(&mut self) {
        let shards = usize::from(self.parts.shards);
        let mut orders: Vec<Vec<(u64, FileName)>> = vec![Vec::new(); shards];
        for (index, wal) in self.boot().wals.clone().into_iter().enumerate() {
            orders[index % shards].push(wal);
        }
        for (shard, directories) in (0..self.parts.shards).zip(orders) {
            self.send(ShardId::new(shard), Message::Replay { directories });
        }
    }

    /// Gives a write-ahead log that nothing needs a name under which no start looks for one: while
    /// its files go one by one, it could not be read.
    pub(super) fn doom_wal(&mut self, wal_id: u64) {
        let from = self.wal_directory(wal_id);
        let to = self
            .root()
            .join(WAL)
            .join(&format!("{}{DELETED_SUFFIX}", crate::wal::directory_name(wal_id)));
        self.boot().doomed.push(to.clone());
        self.boot().renames_missing += 1;
        self.ask_outside(Asked::RenameWal, DiskOp::Rename { from, to });
    }

    fn wal_renamed(&mut self) {
        self.boot().renames_missing -= 1;
        if self.boot().renames_missing == 0 {
            let path = self.root().join(WAL);
            self.ask_outside(Asked::SyncWals, DiskOp::SyncDirectory { path });
        }
    }

    fn remove_wals(&mut self) {
        for path in std::mem::take(&mut self.boot().doomed) {
            self.ask_outside(Asked::Tidy, DiskOp::RemoveDirectory { path });
        }
    }

    /// The paths of a snapshot while it is written, and afterwards.
    pub(super) fn snapshot_paths(&self, index: u64) -> (FileName, FileName) {
        let parent = self.root().join(METADATA);
        let name = format!("{index:020}{SNAPSHOT_SUFFIX}");
        (parent.join(&temporary(&name)), parent.join(&name))
    }

    pub(super) fn metadata_directory(&self) -> FileName {
        self.root().join(METADATA)
    }

    fn wal_directory(&self, wal_id: u64) -> FileName {
        self.root().join(WAL).join(&crate::wal::directory_name(wal_id))
    }
}

fn temporary(name: &str) -> String {
    format!("{name}.tmp")
}
