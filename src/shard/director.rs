//! The first shard's other duties: it runs the controller, keeps the metadata log, tells everyone
//! what was decided, and leads the start and the stop of the broker.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

use super::boot::{Asked, Boot, CLEAN_MARKER};
use super::{Effect, Exit, Message, Shard};
use crate::consensus::SingleVoter;
use crate::controller::{self, Answer, Command, Decision, Policy};
use crate::handlers::{Identity, owner};
use crate::io::{DiskOp, FileName};
use crate::metadata::{Broker, Image, LogIndex, MetadataEntry, MetadataRecord, resource_type};
use crate::planted::{Bug, planted};
use crate::prng::Prng;
use crate::store::{Reply, Sources};
use crate::trace::Event;
use crate::types::{BrokerEpoch, NodeId, Now, ShardId, Uuid};
use crate::wal::{Replayed, ReplayedEntry};

/// Entries after which a snapshot is written.
const ENTRIES_PER_SNAPSHOT: usize = 1000;

/// An entry of the metadata log, and what follows from it.
#[derive(Debug)]
struct Proposal {
    image: Arc<Image>,
    changed: Arc<[Uuid]>,
    /// Names become free with it: what comes after has to wait until they are.
    removes: bool,
    answer: Option<(Reply, Answer)>,
}

/// An image that shards were told of.
#[derive(Debug)]
struct Published {
    index: u64,
    missing: u16,
    removes: bool,
    answer: Option<(Reply, Answer)>,
}

/// How far a snapshot is.
#[derive(Debug, Default)]
struct Snapshot {
    /// The last entry in the snapshot being written.
    writing: Option<u64>,
    wanted: bool,
    /// Entries that no durable snapshot has, with the generation of the write-ahead log they are in.
    logged: VecDeque<(u64, u64)>,
    names: VecDeque<FileName>,
}

#[derive(Debug)]
pub(super) struct Director {
    pub(super) root: FileName,
    pub(super) boot: Boot,
    shards: u16,
    identity: Identity,
    prng: Prng,
    voter: SingleVoter<Proposal>,
    /// The image with everything that was proposed.
    head: Arc<Image>,
    /// The image with everything that was decided.
    decided: Arc<Image>,
    /// Commands that found no room in the write-ahead log.
    waiting: Vec<(Option<Reply>, Command)>,
    unpublished: VecDeque<Proposal>,
    published: VecDeque<Published>,
    replayed: Vec<(u64, Replayed)>,
    replays_missing: u16,
    recoveries_missing: u16,
    drains_missing: u16,
    stops_missing: u16,
    /// The broker has registered, and everybody knows.
    registered: bool,
    snapshot: Snapshot,
    /// Settings without effect that were told of.
    told: BTreeSet<&'static str>,
    stopping: bool,
}

impl Director {
    pub(super) fn new(root: &FileName, shards: u16, identity: Identity, prng: Prng) -> Self {
        let empty = Arc::new(Image::new(Uuid::ZERO));
        Self {
            root: root.clone(),
            boot: Boot::default(),
            shards,
            identity,
            prng,
            voter: SingleVoter::new(0, 0),
            head: Arc::clone(&empty),
            decided: empty,
            waiting: Vec::new(),
            unpublished: VecDeque::new(),
            published: VecDeque::new(),
            replayed: Vec::new(),
            replays_missing: shards,
            recoveries_missing: shards,
            drains_missing: shards,
            stops_missing: shards,
            registered: false,
            snapshot: Snapshot::default(),
            told: BTreeSet::new(),
            stopping: false,
        }
    }

    /// The topics that an entry's records touch.
    fn changed(before: &Image, after: &Image, records: &[MetadataRecord]) -> Vec<Uuid> {
        let mut changed = Vec::new();
        for record in records {
            match record {
                MetadataRecord::Topic { id, .. } | MetadataRecord::TopicRemoval { id } => {
                    changed.push(*id);
                }
                MetadataRecord::Partition { topic, .. } => changed.push(*topic),
                MetadataRecord::Setting {
                    resource_type: resource_type::TOPIC, resource, ..
                } => {
                    let topic =
                        after.topic_named(resource).or_else(|| before.topic_named(resource));
                    changed.extend(topic.map(|topic| topic.id));
                }
                MetadataRecord::LeaderEpochs { .. } => {
                    changed.extend(after.topics().map(|topic| topic.id));
                }
                _ => {}
            }
        }
        changed.sort_unstable();
        changed.dedup();
        changed
    }

    fn decide(&mut self, settings: &crate::config::BrokerSettings, command: &Command) -> Decision {
        let policy =
            Policy { settings, broker: self.identity.node, log_directory: self.boot.directory_id };
        controller::decide(&self.head, &policy, &mut self.prng, command)
    }
}

impl Shard {
    fn director(&mut self) -> &mut Director {
        self.director.as_mut().expect("only the first shard directs")
    }

    /// Hands a command to the controller, wherever it is.
    pub(super) fn route_command(&mut self, now: Now, reply: Reply, command: Command) {
        if self.director.is_none() {
            return self.send(ShardId::FIRST, Message::Command { reply, command });
        }
        self.propose(now, Some(reply), &command);
    }

    fn propose(&mut self, now: Now, reply: Option<Reply>, command: &Command) {
        if self.director().stopping {
            // The last checkpoint may have been taken: what is logged behind it would be forgotten.
            return;
        }
        let settings = Arc::clone(&self.parts.settings);
        let director = self.director();
        let Decision { records, answer } = director.decide(&settings, command);
        if records.is_empty() {
            if let Some(reply) = reply {
                self.deliver_command(now, reply, answer);
            }
            return;
        }
        let (term, index) = (director.voter.term(), director.voter.next_index());
        let entry = MetadataEntry { at: LogIndex { term, index }, records };
        let bytes = entry.encode();
        if !self.parts.store.has_metadata_room(bytes.len()) {
            // Decided anew when there is room: until then nothing of it counts.
            return self.director().waiting.push((reply, command.clone()));
        }
        let director = self.director();
        let image =
            director.head.apply(&entry).expect("the controller decides what can be applied");
        let image = Arc::new(image);
        self.tell_what_has_no_effect(&entry.records);
        let director = self.director();
        let changed = Director::changed(&director.head, &image, &entry.records);
        director.head = Arc::clone(&image);
        let removes =
            |record: &MetadataRecord| matches!(record, MetadataRecord::TopicRemoval { .. });
        let proposal = Proposal {
            image,
            changed: changed.into(),
            removes: entry.records.iter().any(removes),
            answer: reply.map(|reply| (reply, answer)),
        };
        let logged = self.parts.store.log_metadata(&bytes);
        let director = self.director();
        director.voter.propose(logged.lsn, proposal);
        director.snapshot.logged.push_back((index, logged.generation));
        self.metadata_needs();
    }

    fn tell_what_has_no_effect(&mut self, records: &[MetadataRecord]) {
        for (name, reason) in records.iter().filter_map(controller::without_effect) {
            if self.director().told.insert(name) {
                self.effects.push(Effect::Log(Event::SettingWithoutEffect { name, reason }));
            }
        }
    }

    /// Takes up commands that found no room in the write-ahead log.
    pub(super) fn propose_waiting(&mut self, now: Now) {
        let Some(director) = &mut self.director else { return };
        for (reply, command) in std::mem::take(&mut director.waiting) {
            self.propose(now, reply, &command);
        }
    }

    /// Tells the store which of its files hold metadata that no snapshot has.
    fn metadata_needs(&mut self) {
        let oldest = self.director().snapshot.logged.front().map(|(_, generation)| *generation);
        self.parts.store.set_metadata_generation(oldest);
    }

    /// Tells the shards what has been decided.
    pub(super) fn metadata_decided(&mut self, _now: Now) {
        if self.director.is_none() {
            return;
        }
        let wal = self.parts.store.wal();
        let early = planted(Bug::DecideBeforeCommit);
        let durable = if early { wal.last_lsn() } else { wal.durable_lsn() };
        let director = self.director();
        while let Some(proposal) = director.voter.decided(durable) {
            director.decided = Arc::clone(&proposal.image);
            director.unpublished.push_back(proposal);
        }
        self.publish();
        let director = self.director();
        if director.snapshot.logged.len() > ENTRIES_PER_SNAPSHOT {
            self.write_snapshot();
        }
    }

    fn publish(&mut self) {
        loop {
            let director = self.director();
            let held = director.published.iter().any(|published| published.removes);
            let Some(next) = director.unpublished.pop_front_if(|_| !held) else { break };
            let Proposal { image, changed, removes, answer } = next;
            let index = image.at.index;
            let missing = director.shards;
            director.published.push_back(Published { index, missing, removes, answer });
            self.send_to_all(|| Message::Image {
                image: Arc::clone(&image),
                changed: Arc::clone(&changed),
            });
        }
    }

    /// A shard lives by an image.
    pub(super) fn image_applied(&mut self, now: Now, index: u64) {
        let director = self.director();
        let found = director.published.iter_mut().find(|published| published.index == index);
        found.expect("shards answer what they were told").missing -= 1;
        while let Some(done) = self.director().published.pop_front_if(|next| next.missing == 0) {
            if let Some((reply, answer)) = done.answer {
                self.deliver_command(now, reply, answer);
            }
            if !self.director().registered {
                self.director().registered = true;
                self.send_to_all(|| Message::Serve);
            }
        }
        self.publish();
    }

    /// A shard has read its share of the write-ahead logs.
    pub(super) fn replayed(&mut self, now: Now, logs: Vec<(u64, Replayed)>) {
        let director = self.director();
        director.replayed.extend(logs);
        director.replays_missing -= 1;
        if director.replays_missing > 0 {
            return;
        }
        let mut sources = match Sources::of(std::mem::take(&mut director.replayed), now.instant) {
            Ok(sources) => sources,
            Err(damaged) => return self.fail(damaged),
        };
        let metadata = std::mem::take(&mut sources.metadata);
        match self.restore_image(metadata) {
            Ok(image) => self.clear_strays(image, sources),
            Err(reason) => self.fail(reason),
        }
    }

    /// The image of the last snapshot, with what the write-ahead logs have behind it.
    fn restore_image(&mut self, entries: Vec<ReplayedEntry>) -> Result<Arc<Image>, String> {
        let director = self.director();
        let cluster_id = director.boot.cluster_id;
        let mut image = director.boot.image.take().unwrap_or_else(|| Image::new(cluster_id));
        let mut decoded = Vec::new();
        for entry in &entries {
            let entry = MetadataEntry::decode(&entry.payload);
            decoded.push(entry.ok_or("an entry of the metadata log cannot be read")?);
        }
        decoded.sort_by_key(|entry| entry.at.index);
        for entry in decoded {
            if entry.at.index > image.at.index {
                image = image.apply(&entry).map_err(|error| {
                    format!(
                        "the metadata log is damaged: entry {}: {}",
                        error.at.index, error.reason
                    )
                })?;
            }
        }
        let image = Arc::new(image);
        director.voter = SingleVoter::new(image.at.term, image.at.index);
        director.head = Arc::clone(&image);
        director.decided = Arc::clone(&image);
        Ok(image)
    }

    pub(super) fn send_recovery(&mut self, image: &Arc<Image>, mut sources: Sources) {
        let lost = sources
            .partitions
            .keys()
            .find(|id| image.topic(id.topic).is_none() && !image.removed.contains(&id.topic));
        if let Some(id) = lost {
            return self.fail(format_args!(
                "the write-ahead log has appends of topic {} that the metadata does not know: \
                 restore the directory \"metadata\"",
                id.topic
            ));
        }
        let image = &self.forget_removed(image, &sources);
        sources.partitions.retain(|id, _| image.topic(id.topic).is_some());
        let fences: Arc<[_]> = sources.fences.into();
        let director = self.director();
        let log_directory_id = director.boot.directory_id;
        let directories: Arc<[String]> = director.boot.directories().map(str::to_owned).collect();
        let logs_bytes = sources.logs_bytes / u64::from(director.shards);
        let share = || Sources { logs_bytes, ..Sources::default() };
        let mut shares: Vec<Sources> = (0..director.shards).map(|_| share()).collect();
        for (id, source) in sources.partitions {
            shares[owner(id, director.shards).index()].partitions.insert(id, source);
        }
        for (shard, share) in (0..).map(ShardId::new).zip(shares) {
            let message = Message::Recover {
                image: Arc::clone(image),
                sources: Box::new(share),
                fences: Arc::clone(&fences),
                log_directory_id,
                directories: Arc::clone(&directories),
            };
            self.send(shard, message);
        }
        // Earlier write-ahead logs may go only when a snapshot has what they hold of the metadata.
        self.write_snapshot();
    }

    /// Forgets removed topics of which no write-ahead log has anything, now that all have been read
    /// and no directory has their partitions' names: what comes later has nothing of them either.
    fn forget_removed(&mut self, image: &Arc<Image>, sources: &Sources) -> Arc<Image> {
        let logged: BTreeSet<Uuid> = sources.partitions.keys().map(|id| id.topic).collect();
        if image.removed.iter().all(|id| logged.contains(id)) {
            return Arc::clone(image);
        }
        let image = Arc::new(image.without_traces(|id| logged.contains(id)));
        let director = self.director();
        director.head = Arc::clone(&image);
        director.decided = Arc::clone(&image);
        image
    }

    /// A shard has its partitions back.
    pub(super) fn shard_recovered(&mut self, now: Now) {
        let director = self.director();
        director.recoveries_missing -= 1;
        if director.recoveries_missing > 0 {
            return;
        }
        let Identity { node, host, port, rack } = director.identity.clone();
        let prng = &mut director.prng;
        let broker = Broker {
            id: node,
            incarnation: Uuid::from_random(|| prng.next_u64()),
            epoch: BrokerEpoch::new(0),
            host,
            port,
            rack,
        };
        let unclean = !director.boot.clean;
        self.propose(now, None, &Command::StartBroker { broker, unclean });
    }

    pub(super) fn write_snapshot(&mut self) {
        let director = self.director();
        if director.snapshot.writing.is_some() {
            director.snapshot.wanted = true;
            return;
        }
        let image = Arc::clone(&director.decided);
        director.snapshot.writing = Some(image.at.index);
        let (path, _) = self.snapshot_paths(image.at.index);
        let bytes = image.encode_snapshot();
        self.ask_outside(Asked::WriteSnapshot, DiskOp::WriteFile { path, bytes });
    }

    /// The device has no room for a snapshot: the write-ahead log keeps what it would hold.
    pub(super) fn snapshot_refused(&mut self, now: Now) {
        let director = self.director();
        director.snapshot.writing = None;
        director.snapshot.wanted = true;
        if director.stopping {
            self.parts.store.stop(now);
        }
    }

    /// There may be room for a snapshot now.
    pub(super) fn retry_snapshot(&mut self) {
        let Some(director) = &mut self.director else { return };
        if director.snapshot.writing.is_none() && std::mem::take(&mut director.snapshot.wanted) {
            self.write_snapshot();
        }
    }

    pub(super) fn snapshot_written(&mut self) {
        let index = self.director().snapshot.writing.expect("being written");
        let (from, to) = self.snapshot_paths(index);
        self.ask_outside(Asked::RenameSnapshot, DiskOp::Rename { from, to });
    }

    pub(super) fn snapshot_durable(&mut self, now: Now) {
        let index = self.director().snapshot.writing.take().expect("being written");
        let (_, path) = self.snapshot_paths(index);
        let parent = self.metadata_directory();
        let director = self.director();
        let snapshot = &mut director.snapshot;
        snapshot.logged.retain(|(logged, _)| *logged > index);
        let found = std::mem::take(&mut director.boot.snapshots);
        snapshot.names.extend(found.iter().map(|name| parent.join(name)));
        snapshot.names.retain(|name| *name != path);
        snapshot.names.push_back(path);
        // The one before stays, should this one rot.
        let surplus = snapshot.names.len().saturating_sub(2);
        let obsolete: Vec<FileName> = snapshot.names.drain(..surplus).collect();
        for path in obsolete {
            self.ask_outside(Asked::Tidy, DiskOp::Remove { path });
        }
        self.metadata_needs();
        self.forget_earlier_lives();
        let director = self.director();
        if std::mem::take(&mut director.snapshot.wanted) {
            self.write_snapshot();
        } else if director.stopping {
            self.parts.store.stop(now);
        }
    }

    /// A shard needs nothing of earlier lives any more.
    pub(super) fn shard_drained(&mut self) {
        self.director().drains_missing -= 1;
        self.forget_earlier_lives();
    }

    fn forget_earlier_lives(&mut self) {
        let director = self.director();
        let has_snapshot = !director.snapshot.names.is_empty();
        let drained = director.drains_missing == 0 || planted(Bug::DropWalBeforeDrain);
        if !drained || !has_snapshot {
            return;
        }
        for (wal_id, _) in std::mem::take(&mut director.boot.wals) {
            self.doom_wal(wal_id);
        }
    }

    /// Finishes what has begun and ends.
    pub(super) fn stop(&mut self, now: Now) {
        if self.stopping {
            return;
        }
        self.stopping = true;
        self.effects.push(Effect::Log(Event::Stopping));
        self.effects.push(Effect::StopListening);
        if !self.serving {
            // Nothing was acknowledged yet: the next start begins where this one did.
            return self.effects.push(Effect::Exit(Exit::Stopped));
        }
        self.uncoordinate_all(now);
        if self.director.is_none() {
            return self.parts.store.stop(now);
        }
        self.director().stopping = true;
        self.write_snapshot();
    }

    /// This shard's store is on disk.
    pub(super) fn store_stopped(&mut self, now: Now) {
        let own = self.parts.shard;
        if own == ShardId::FIRST {
            return self.shard_stopped(now, own);
        }
        self.send(ShardId::FIRST, Message::Stopped);
        self.effects.push(Effect::Exit(Exit::Stopped));
    }

    /// A shard has stopped; the last of all leaves the marker of a clean stop.
    pub(super) fn shard_stopped(&mut self, _now: Now, _from: ShardId) {
        let director = self.director();
        director.stops_missing -= 1;
        if director.stops_missing == 0 {
            let node: NodeId = director.identity.node;
            let path = self.root().join(CLEAN_MARKER);
            let bytes = format!("node.id={node}\n").into_bytes();
            self.ask_outside(Asked::WriteMarker, DiskOp::WriteFile { path, bytes });
        }
    }
}
