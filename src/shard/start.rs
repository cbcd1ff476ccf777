//! A shard's part in the start of the broker: reads write-ahead logs of earlier lives, brings its
//! partitions back, opens a write-ahead log of its own.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::images::{directory_name, partitions_of};
use super::{Effect, Message, Shard};
use crate::handlers::owner;
use crate::io::{DiskQueue, DiskResult, FileName};
use crate::metadata::Image;
use crate::store::{Owner, Recovery, Returning, Sources};
use crate::trace::Event;
use crate::types::{Lsn, Now, ShardId, Uuid};
use crate::wal::{Replay, Replayed};

/// How far the start is.
#[derive(Debug, Default)]
pub(super) struct Start {
    replays: BTreeMap<u32, (u64, Replay)>,
    replayed: Vec<(u64, Replayed)>,
    recovery: Option<Recovery>,
    fences: Vec<(u64, Lsn)>,
}

impl Shard {
    /// Reads write-ahead logs of earlier lives.
    pub(super) fn replay(&mut self, now: Now, directories: Vec<(u64, FileName)>) {
        for (key, (wal_id, directory)) in (0..).zip(directories) {
            let mut replay = Replay::new(directory);
            let owner = Owner::Replay(key).encode();
            replay.start(&mut DiskQueue::new(owner, &mut self.disk_requests));
            self.start.replays.insert(key, (wal_id, replay));
        }
        self.replays_progressed(now);
    }

    pub(super) fn replay_answered(&mut self, now: Now, key: u32, token: u32, result: DiskResult) {
        let (wal_id, replay) = self.start.replays.get_mut(&key).expect("it asked");
        let wal_id = *wal_id;
        let mut queue = DiskQueue::new(Owner::Replay(key).encode(), &mut self.disk_requests);
        match replay.completed(token, result, &mut queue) {
            Ok(None) => {}
            Ok(Some(replayed)) => {
                self.start.replays.remove(&key);
                self.start.replayed.push((wal_id, replayed));
                self.replays_progressed(now);
            }
            Err(error) => self.fail(error),
        }
    }

    fn replays_progressed(&mut self, _now: Now) {
        if self.start.replays.is_empty() {
            let logs = std::mem::take(&mut self.start.replayed);
            self.send(ShardId::FIRST, Message::Replayed { logs });
        }
    }

    /// Brings back the partitions that this shard owns.
    pub(super) fn recover(
        &mut self,
        now: Now,
        image: Arc<Image>,
        mut sources: Sources,
        fences: &[(u64, Lsn)],
        directories: &[String],
    ) {
        let directories: BTreeSet<&str> = directories.iter().map(String::as_str).collect();
        let ids: Vec<Uuid> = image.topics().map(|topic| topic.id).collect();
        self.alter_settings(&image);
        self.parts.topics.update(&image, &ids, &self.parts.settings);
        let mut returning = Vec::new();
        for topic in image.topics() {
            let entry = self.parts.topics.by_id(topic.id).expect("updated");
            for (id, state) in partitions_of(topic).zip(&topic.partitions) {
                if owner(id, self.parts.shards) != self.parts.shard {
                    continue;
                }
                let name = directory_name(topic, id);
                returning.push(Returning {
                    id,
                    settings: entry.partition_settings(id.partition),
                    leader_epoch: state.leader_epoch,
                    source: sources.partitions.remove(&id).unwrap_or_default(),
                    has_directory: directories.contains(name.as_str()),
                    name,
                });
            }
        }
        self.take_quotas(&image);
        self.parts.image = image;
        self.start.fences = fences.to_vec();
        self.parts.store.open(now);
        let mut recovery = Recovery::new(returning, sources.logs_bytes);
        if let Err(fault) = self.parts.store.recover(&mut recovery) {
            return self.fail(fault);
        }
        self.start.recovery = Some(recovery);
    }

    pub(super) fn recovery_answered(&mut self, now: Now, key: u32, token: u32, result: DiskResult) {
        let recovery = self.start.recovery.as_mut().expect("it asked");
        if let Err(fault) = self.parts.store.recovery_completed(recovery, key, token, result, now) {
            self.fail(fault);
        }
    }

    /// Reports once the partitions are back and the write-ahead log is open.
    pub(super) fn start_progressed(&mut self, _now: Now) {
        let done = self.start.recovery.as_ref().is_some_and(Recovery::is_done);
        if done && self.parts.store.is_open() {
            self.start.recovery = None;
            let fences = std::mem::take(&mut self.start.fences);
            self.parts.store.recovered(&fences);
            let partitions = self.parts.store.partitions().count();
            self.effects.push(Effect::Log(Event::Recovered { partitions }));
            self.send(ShardId::FIRST, Message::Recovered);
        }
    }

    /// Accepts connections.
    pub(super) fn serve(&mut self) {
        self.serving = true;
        self.coordinate_all();
        self.effects.push(Effect::Listen);
        self.effects.push(Effect::Log(Event::Serving));
    }
}
