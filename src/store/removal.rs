//! Deleting partitions: the name is free at once and for good, the bytes go when nobody writes any
//! more.

use slab::Slab;

use super::{Owner, Store, StoreEvent};
use crate::io::{DiskOp, DiskQueue, DiskResult, FileName};
use crate::types::{Lsn, Now, TopicPartition};

/// What a deleted partition's directory is called until it is gone, behind the topic's id.
pub const DELETED_SUFFIX: &str = "-delete";

const TOKEN_RENAME: u32 = 0;
const TOKEN_SYNC: u32 = 1;
const TOKEN_REMOVE: u32 = 2;

#[derive(Debug)]
struct Removal {
    parent: FileName,
    renamed: FileName,
    /// The name is free, for good.
    is_free: bool,
}

#[derive(Debug, Default)]
pub(super) struct Removals {
    /// Partitions whose logs still have requests under way, or entries up to these numbers on
    /// their way into the write-ahead log: until then nobody else gets their slots.
    closing: Vec<(u32, Lsn)>,
    under_way: Slab<Removal>,
}

impl Removals {
    /// Takes an answer. What cannot be removed now is removed at the next start.
    pub(super) fn completed(
        &mut self,
        key: u32,
        token: u32,
        result: DiskResult,
        queue: &mut DiskQueue<'_>,
    ) {
        let removal = &mut self.under_way[key as usize];
        match (token, result) {
            (TOKEN_RENAME, Ok(_)) => {
                queue.push(TOKEN_SYNC, DiskOp::SyncDirectory { path: removal.parent.clone() });
            }
            (TOKEN_SYNC, Ok(_)) => {
                removal.is_free = true;
                queue.push(TOKEN_REMOVE, DiskOp::RemoveDirectory { path: removal.renamed.clone() });
            }
            _ => drop(self.under_way.remove(key as usize)),
        }
    }
}

impl Store {
    /// Whether names of deleted partitions are still taken.
    pub fn is_removing(&self) -> bool {
        let renaming = self.removals.under_way.iter().any(|(_, removal)| !removal.is_free);
        renaming || !self.removals.closing.is_empty()
    }

    /// Deletes a partition. Its id is known to be deleted by the metadata, durably, before this.
    pub fn remove(&mut self, id: TopicPartition, now: Now) {
        let Some(slot) = self.slots.remove(&id) else { return };
        self.checkpointer.removed(slot);
        self.forget_compaction_of(id);
        let mut told = Vec::new();
        self.partitions[slot as usize].waiting.take_all(&mut told);
        self.events.extend(told.into_iter().map(StoreEvent::Readable));
        self.removals.closing.push((slot, self.wal.last_lsn()));
        self.continue_removals();
        self.continue_checkpoint(now);
    }

    /// Drops partitions whose last request has been answered.
    pub(super) fn continue_removals(&mut self) {
        if self.removals.closing.is_empty() {
            return;
        }
        let closing = std::mem::take(&mut self.removals.closing);
        for (slot, lsn) in closing {
            let committed = self.wal.durable_lsn() >= lsn;
            if self.outstanding(slot) > 0 || !committed {
                self.removals.closing.push((slot, lsn));
                continue;
            }
            let mut partition = self.partitions.remove(slot as usize);
            self.space.reserved(partition.log.unreserved_bytes(), 0);
            partition.log.discard(&mut self.chunks);
            self.forget_reads_of(slot);
            let Some((parent, name)) = partition.log.directory_on_disk() else {
                self.events.push(StoreEvent::Removed);
                continue;
            };
            let renamed = parent.join(&format!("{name}.{}{DELETED_SUFFIX}", partition.id.topic));
            let from = parent.join(&name);
            let removal = Removal { parent, renamed: renamed.clone(), is_free: false };
            let key = u32::try_from(self.removals.under_way.insert(removal)).expect("few");
            let mut queue = DiskQueue::new(Owner::Removal(key).encode(), &mut self.requests);
            queue.push(TOKEN_RENAME, DiskOp::Rename { from, to: renamed });
        }
    }
}
