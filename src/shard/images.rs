//! Living by the image: partitions come, change and go with it.

use std::sync::Arc;

use super::{Effect, Message, Shard};
use crate::handlers::owner;
use crate::metadata::{Image, Topic, resource_type};
use crate::partition::Partition;
use crate::quota::Limits;
use crate::trace::Event;
use crate::types::{Now, PartitionIndex, ShardId, TopicPartition, Uuid};

impl Shard {
    /// Takes over an image; the first shard is told when everything of it is true here.
    pub(super) fn apply_image(&mut self, now: Now, image: Arc<Image>, changed: &[Uuid]) {
        for id in changed {
            if image.topic(*id).is_none() {
                self.drop_topic(now, *id);
            }
        }
        let mut changed = changed.to_vec();
        if self.alter_settings(&image) {
            changed.extend(image.topics().map(|topic| topic.id));
        }
        self.parts.topics.update(&image, &changed, &self.parts.settings);
        for topic in changed.iter().filter_map(|id| image.topic(*id)) {
            self.take_topic(topic);
        }
        let index = image.at.index;
        self.take_quotas(&image);
        self.parts.image = image;
        self.unacknowledged.push(index);
        if self.serving {
            self.coordinate_all();
        }
        self.partitions_removed();
    }

    /// Takes over the quotas of an image.
    pub(super) fn take_quotas(&mut self, image: &Image) {
        if image.quotas != self.parts.image.quotas {
            let of_all = image.quotas.iter().flat_map(|(entity, quotas)| {
                quotas.iter().map(move |(name, value)| (entity, name.as_str(), value.get()))
            });
            self.set_quotas(Limits::of_entities(of_all));
        }
    }

    /// Takes over what an image alters of this broker's settings; answers whether it does.
    pub(super) fn alter_settings(&mut self, image: &Image) -> bool {
        let node = self.parts.identity.node.to_string();
        let of = |image: &Image, resource: &str| {
            image.settings(resource_type::BROKER, resource).cloned().unwrap_or_default()
        };
        let (for_all, for_this) = (of(image, ""), of(image, &node));
        let before = &self.parts.image;
        if for_all == of(before, "") && for_this == of(before, &node) {
            return false;
        }
        let before = &self.parts.settings;
        let settings = before.altered(&for_all, &for_this).unwrap_or_else(|errors| {
            // They fitted the file that the broker had when they were made: a changed file must not
            // keep it from starting.
            let problem = errors.to_string();
            self.effects.push(Effect::Log(Event::AlterationsUnused { problem }));
            before.altered_fitting(&for_all, &for_this)
        });
        let storage = &settings.storage;
        self.parts.store.set_producer_expiry(storage.producer_id_expiry);
        if storage.compaction != before.storage.compaction {
            let cores = usize::from(self.parts.shards);
            self.parts.store.set_compaction(&storage.compaction, cores);
        }
        self.parts.settings = Arc::new(settings);
        true
    }

    fn drop_topic(&mut self, now: Now, topic: Uuid) {
        let Some(entry) = self.parts.topics.by_id(topic) else { return };
        let topic = Arc::clone(&entry.topic);
        self.groups_without_topic(now, &topic);
        for partition in partitions_of(&topic) {
            self.parts.store.remove(partition, now);
        }
    }

    fn take_topic(&mut self, topic: &Arc<Topic>) {
        let entry = self.parts.topics.by_id(topic.id).expect("updated").clone();
        for (id, state) in partitions_of(topic).zip(&topic.partitions) {
            let here = owner(id, self.parts.shards) == self.parts.shard
                && state.leader == self.parts.identity.node;
            if !here {
                continue;
            }
            let settings = entry.partition_settings(id.partition);
            match self.parts.store.slot(id) {
                Some(slot) => {
                    self.parts.store.set_leader_epoch(slot, state.leader_epoch);
                    self.parts.store.partition_mut(slot).settings = settings;
                }
                None => {
                    let log = self.parts.store.new_log(id, &directory_name(topic, id));
                    let partition = Partition::new(id, log, state.leader_epoch, settings);
                    self.parts.store.add(partition);
                }
            }
        }
    }

    /// Tells the first shard how far this one is, once names of deleted partitions are free.
    pub(super) fn partitions_removed(&mut self) {
        if self.parts.store.is_removing() {
            return;
        }
        for index in std::mem::take(&mut self.unacknowledged) {
            self.send(ShardId::FIRST, Message::ImageApplied { index });
        }
    }
}

/// The partitions of a topic.
pub(super) fn partitions_of(topic: &Topic) -> impl Iterator<Item = TopicPartition> + use<> {
    let (topic, count) = (topic.id, topic.partitions.len());
    (0..count as i32)
        .map(PartitionIndex::new)
        .map(move |partition| TopicPartition { topic, partition })
}

/// The name of a partition's directory, as in Kafka.
pub(super) fn directory_name(topic: &Topic, id: TopicPartition) -> String {
    format!("{}-{}", topic.name, id.partition)
}
