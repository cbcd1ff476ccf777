//! Directories of partitions that the metadata does not know. The power may go between a topic's
//! deletion and the renaming of its directories: under their old names a new topic of the same
//! name would take them for its own.

use std::sync::Arc;

use super::boot::{Asked, partition_named};
use super::{Effect, Shard};
use crate::io::{DiskOp, FileName};
use crate::metadata::Image;
use crate::store::{DELETED_SUFFIX, Sources};
use crate::trace::Event;
use crate::types::Uuid;

/// Behind the name of a directory that no topic is known to have had: its files are kept.
const STRAY_SUFFIX: &str = "-stray";
/// `partition.metadata` has two short lines.
const METADATA_BYTES_MAX: u64 = 1 << 10;

/// What is known of them. The start goes on when the last has another name, durably.
#[derive(Debug, Default)]
pub(super) struct Strays {
    /// Not looked at yet; the last is being looked at.
    names: Vec<String>,
    /// Renamed ones that are removed.
    deleted: Vec<FileName>,
    /// What the start goes on with.
    rest: Option<(Arc<Image>, Sources)>,
}

impl Shard {
    /// Gives such directories other names, and then recovers.
    pub(super) fn clear_strays(&mut self, image: Arc<Image>, sources: Sources) {
        let is_stray = |name: &&str| {
            partition_named(name).is_some_and(|(topic, partition)| {
                let topic = image.topic_named(topic);
                topic.is_none_or(|topic| partition as usize >= topic.partitions.len())
            })
        };
        let boot = self.boot();
        let names: Vec<String> = boot.directories().filter(is_stray).map(str::to_owned).collect();
        if names.is_empty() {
            return self.send_recovery(&image, sources);
        }
        boot.strays = Strays { names, deleted: Vec::new(), rest: Some((image, sources)) };
        self.read_owner();
    }

    fn read_owner(&mut self) {
        let root = self.root();
        let Some(name) = self.boot().strays.names.last() else {
            return self.ask_outside(Asked::SyncStrays, DiskOp::SyncDirectory { path: root });
        };
        let path = root.join(name).join(crate::log::METADATA_FILE);
        self.ask_outside(
            Asked::ReadOwner,
            DiskOp::ReadFile { path, bytes_max: METADATA_BYTES_MAX },
        );
    }

    /// The content of the directory's `partition.metadata`, empty when there is none.
    pub(super) fn owner_read(&mut self, bytes: &[u8]) {
        let text = String::from_utf8_lossy(bytes);
        let id = text.lines().find_map(|line| line.strip_prefix("topic_id: "));
        let id: Option<Uuid> = id.and_then(|id| id.trim().parse().ok());
        let prng = &mut self.parts.prng;
        let unique = Uuid::from_random(|| prng.next_u64());
        let root = self.root();
        let strays = &mut self.boot().strays;
        let name = strays.names.last().expect("its owner was asked for");
        let removed =
            |id: &Uuid| strays.rest.as_ref().is_some_and(|(image, _)| image.removed.contains(id));
        let (id, suffix) = match id.filter(removed) {
            Some(id) => (id, DELETED_SUFFIX),
            None => (unique, STRAY_SUFFIX),
        };
        let (from, to) = (root.join(name), root.join(&format!("{name}.{id}{suffix}")));
        if suffix == DELETED_SUFFIX {
            strays.deleted.push(to.clone());
        } else {
            let event = Event::StrayDirectory { from: from.to_string(), to: to.to_string() };
            self.effects.push(Effect::Log(event));
        }
        self.ask_outside(Asked::RenameStray, DiskOp::Rename { from, to });
    }

    pub(super) fn stray_renamed(&mut self) {
        self.boot().strays.names.pop();
        self.read_owner();
    }

    pub(super) fn strays_cleared(&mut self) {
        let Strays { deleted, rest, .. } = std::mem::take(&mut self.boot().strays);
        for path in deleted {
            self.ask_outside(Asked::Tidy, DiskOp::RemoveDirectory { path });
        }
        let (image, sources) = rest.expect("the start waits");
        self.send_recovery(&image, sources);
    }
}
