//! The committed offsets of one group: what is durable, and how many writes are under way.

use std::collections::BTreeMap;

use crate::types::{LeaderEpoch, Offset, PartitionIndex, Timestamp, Uuid};

/// A committed offset.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Committed {
    pub(super) offset: Offset,
    pub(super) leader_epoch: LeaderEpoch,
    pub(super) metadata: String,
    pub(super) commit_timestamp: Timestamp,
    /// When to forget it, if a client of old said so.
    pub(super) expire_timestamp: Option<Timestamp>,
    /// The topic's id, zero where it was not known.
    pub(super) topic_id: Uuid,
}

#[derive(Debug, Default)]
struct Slot {
    durable: Option<Committed>,
    writes: usize,
}

/// The offsets of one group, by topic and partition.
#[derive(Debug, Default)]
pub(super) struct Offsets {
    topics: BTreeMap<String, BTreeMap<PartitionIndex, Slot>>,
}

impl Offsets {
    /// Whether nothing is committed and nothing under way.
    pub(super) fn is_empty(&self) -> bool {
        self.topics.is_empty()
    }

    /// Whether anything is committed.
    pub(super) fn any_durable(&self) -> bool {
        self.durable().next().is_some()
    }

    pub(super) fn get(&self, topic: &str, partition: PartitionIndex) -> Option<&Committed> {
        self.topics.get(topic)?.get(&partition)?.durable.as_ref()
    }

    /// Whether there is something to forget, now or when what is under way has ended.
    pub(super) fn may_hold(&self, topic: &str, partition: PartitionIndex) -> bool {
        self.topics.get(topic).is_some_and(|partitions| partitions.contains_key(&partition))
    }

    /// Whether a write of this offset is under way.
    pub(super) fn is_written(&self, topic: &str, partition: PartitionIndex) -> bool {
        let slot = self.topics.get(topic).and_then(|partitions| partitions.get(&partition));
        slot.is_some_and(|slot| slot.writes > 0)
    }

    /// Every place that holds an offset, or will when what is under way has ended.
    pub(super) fn places(&self) -> impl Iterator<Item = (&str, PartitionIndex)> {
        self.topics.iter().flat_map(|(topic, partitions)| {
            partitions.keys().map(move |partition| (topic.as_str(), *partition))
        })
    }

    /// The same of one topic.
    pub(super) fn places_of(&self, topic: &str) -> Vec<(String, PartitionIndex)> {
        let partitions = self.topics.get(topic).into_iter().flat_map(BTreeMap::keys);
        partitions.map(|partition| (topic.to_owned(), *partition)).collect()
    }

    /// Every committed offset.
    pub(super) fn durable(&self) -> impl Iterator<Item = (&str, PartitionIndex, &Committed)> {
        self.topics.iter().flat_map(|(topic, partitions)| {
            partitions.iter().filter_map(move |(partition, slot)| {
                Some((topic.as_str(), *partition, slot.durable.as_ref()?))
            })
        })
    }

    /// A write has been asked for.
    pub(super) fn begin(&mut self, topic: &str, partition: PartitionIndex) {
        self.slot(topic, partition).writes += 1;
    }

    /// A write has ended: with what it wrote, or without effect.
    pub(super) fn end(
        &mut self,
        topic: &str,
        partition: PartitionIndex,
        written: Option<Option<Committed>>,
    ) {
        let slot = self.slot(topic, partition);
        slot.writes = slot.writes.checked_sub(1).expect("the write was begun");
        if let Some(value) = written {
            slot.durable = value;
        }
        self.drop_if_empty(topic, partition);
    }

    /// Takes what a record of the log says.
    pub(super) fn set(&mut self, topic: &str, partition: PartitionIndex, value: Option<Committed>) {
        self.slot(topic, partition).durable = value;
        self.drop_if_empty(topic, partition);
    }

    fn slot(&mut self, topic: &str, partition: PartitionIndex) -> &mut Slot {
        if !self.topics.contains_key(topic) {
            self.topics.insert(topic.to_owned(), BTreeMap::new());
        }
        let partitions = self.topics.get_mut(topic).expect("inserted above");
        partitions.entry(partition).or_default()
    }

    fn drop_if_empty(&mut self, topic: &str, partition: PartitionIndex) {
        let partitions = self.topics.get_mut(topic).expect("the caller has a slot there");
        if matches!(partitions.get(&partition), Some(Slot { durable: None, writes: 0 })) {
            partitions.remove(&partition);
        }
        if partitions.is_empty() {
            self.topics.remove(topic);
        }
    }
}
