//! The state of the cluster at one point of the metadata log.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::quota::{QuotaEntity, QuotaValue, Quotas};
use super::record::{
    Broker, LogIndex, MetadataEntry, MetadataRecord, PartitionState, decode_snapshot,
    encode_snapshot,
};
use super::resource_type;
use crate::types::{LeaderEpoch, Map, NodeId, PartitionIndex, ProducerId, Uuid};

/// The settings of one resource, by name.
pub(super) type Settings = BTreeMap<String, String>;

/// A topic.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Topic {
    /// Its id.
    pub id: Uuid,
    /// Its name.
    pub name: Arc<str>,
    /// Its partitions, by index.
    pub partitions: Vec<PartitionState>,
    /// Its own settings, as given.
    pub settings: Arc<Settings>,
}

/// The image. Cheap to share, replaced as a whole.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Image {
    /// The last entry applied.
    pub at: LogIndex,
    /// The cluster's id.
    pub cluster_id: Uuid,
    /// The brokers that are there.
    pub brokers: BTreeMap<NodeId, Broker>,
    /// The first producer id that has not been handed out.
    pub next_producer_id: ProducerId,
    /// Topics that were deleted; write-ahead logs may still hold entries of them.
    pub removed: Arc<BTreeSet<Uuid>>,
    /// The levels of features.
    pub features: BTreeMap<String, i16>,
    /// The quotas of everybody who has some.
    pub quotas: Arc<BTreeMap<QuotaEntity, Quotas>>,
    topics: Map<Uuid, Arc<Topic>>,
    by_name: BTreeMap<Arc<str>, Uuid>,
    /// Settings of everything but topics.
    settings: BTreeMap<(i8, String), Arc<Settings>>,
}

/// Why an entry cannot be applied: the log is not the one that this image stands for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ApplyError {
    /// The entry.
    pub at: LogIndex,
    /// What is wrong.
    pub reason: &'static str,
}

impl Image {
    /// An empty cluster.
    pub fn new(cluster_id: Uuid) -> Self {
        Self {
            at: LogIndex::default(),
            cluster_id,
            brokers: BTreeMap::new(),
            next_producer_id: ProducerId::new(0),
            removed: Arc::default(),
            features: BTreeMap::new(),
            quotas: Arc::default(),
            topics: Map::default(),
            by_name: BTreeMap::new(),
            settings: BTreeMap::new(),
        }
    }

    /// The topic of that id.
    pub fn topic(&self, id: Uuid) -> Option<&Arc<Topic>> {
        self.topics.get(&id)
    }

    /// The topic of that name.
    pub fn topic_named(&self, name: &str) -> Option<&Arc<Topic>> {
        self.topics.get(self.by_name.get(name)?)
    }

    /// All topics, by name.
    pub fn topics(&self) -> impl Iterator<Item = &Arc<Topic>> {
        self.by_name.values().map(|id| &self.topics[id])
    }

    /// The number of topics.
    pub fn topic_count(&self) -> usize {
        self.topics.len()
    }

    /// A resource's own settings, other than a topic's.
    pub fn settings(&self, resource_type: i8, resource: &str) -> Option<&Arc<Settings>> {
        self.settings.get(&(resource_type, resource.to_owned()))
    }

    /// The resources of a type that have settings of their own, other than topics, by name.
    pub fn resources(&self, resource_type: i8) -> impl Iterator<Item = &str> {
        let of_type = self.settings.range((resource_type, String::new())..);
        of_type
            .take_while(move |((found, _), _)| *found == resource_type)
            .map(|((_, resource), _)| resource.as_str())
    }

    /// The image after an entry.
    ///
    /// # Errors
    /// The entry does not follow, or speaks of what does not exist.
    pub fn apply(&self, entry: &MetadataEntry) -> Result<Self, ApplyError> {
        let follows = entry.at.index == self.at.index + 1 && entry.at.term >= self.at.term;
        if !follows {
            return Err(ApplyError { at: entry.at, reason: "does not follow the last" });
        }
        let mut next = self.clone();
        for record in &entry.records {
            next.apply_record(record).map_err(|reason| ApplyError { at: entry.at, reason })?;
        }
        next.at = entry.at;
        Ok(next)
    }

    fn apply_record(&mut self, record: &MetadataRecord) -> Result<(), &'static str> {
        match record {
            MetadataRecord::Topic { id, name } => self.add_topic(*id, name),
            MetadataRecord::Partition { topic, partition, state } => {
                self.set_partition(*topic, *partition, state)
            }
            MetadataRecord::TopicRemoval { id } => {
                if let Some(topic) = self.topics.remove(id) {
                    self.by_name.remove(&topic.name);
                }
                Arc::make_mut(&mut self.removed).insert(*id);
                Ok(())
            }
            MetadataRecord::Setting { resource_type, resource, name, value } => {
                self.set(*resource_type, resource, name, value.as_deref())
            }
            MetadataRecord::ProducerIds { next } => {
                if *next < self.next_producer_id {
                    return Err("hands producer ids out again");
                }
                self.next_producer_id = *next;
                Ok(())
            }
            MetadataRecord::Broker(broker) => {
                self.brokers.insert(broker.id, broker.clone());
                Ok(())
            }
            MetadataRecord::LeaderEpochs { leader } => {
                self.raise_epochs(*leader);
                Ok(())
            }
            MetadataRecord::Quota { entity, name, value } => {
                self.set_quota(entity, name, *value);
                Ok(())
            }
            MetadataRecord::Feature { name, level } => {
                self.features.insert(name.clone(), *level);
                Ok(())
            }
        }
    }

    fn add_topic(&mut self, id: Uuid, name: &str) -> Result<(), &'static str> {
        if id == Uuid::ZERO || self.topics.contains_key(&id) || self.by_name.contains_key(name) {
            return Err("creates a topic that exists");
        }
        let name: Arc<str> = Arc::from(name);
        let topic =
            Topic { id, name: Arc::clone(&name), partitions: Vec::new(), settings: Arc::default() };
        self.topics.insert(id, Arc::new(topic));
        self.by_name.insert(name, id);
        Ok(())
    }

    fn set_partition(
        &mut self,
        topic: Uuid,
        partition: PartitionIndex,
        state: &PartitionState,
    ) -> Result<(), &'static str> {
        let topic = self.topics.get_mut(&topic).ok_or("changes a topic that does not exist")?;
        let partitions = &mut Arc::make_mut(topic).partitions;
        let index = usize::try_from(partition.get()).map_err(|_| "has a negative partition")?;
        match index.cmp(&partitions.len()) {
            core::cmp::Ordering::Less => partitions[index] = state.clone(),
            core::cmp::Ordering::Equal => partitions.push(state.clone()),
            core::cmp::Ordering::Greater => return Err("skips a partition"),
        }
        Ok(())
    }

    fn set(
        &mut self,
        resource_type: i8,
        resource: &str,
        name: &str,
        value: Option<&str>,
    ) -> Result<(), &'static str> {
        let settings = if resource_type == resource_type::TOPIC {
            let id = self.by_name.get(resource).ok_or("sets up a topic that does not exist")?;
            &mut Arc::make_mut(self.topics.get_mut(id).expect("both maps agree")).settings
        } else {
            self.settings.entry((resource_type, resource.to_owned())).or_default()
        };
        let settings = Arc::make_mut(settings);
        match value {
            Some(value) => drop(settings.insert(name.to_owned(), value.to_owned())),
            None => drop(settings.remove(name)),
        }
        if settings.is_empty() && resource_type != resource_type::TOPIC {
            self.settings.remove(&(resource_type, resource.to_owned()));
        }
        Ok(())
    }

    fn set_quota(&mut self, entity: &QuotaEntity, name: &str, value: Option<QuotaValue>) {
        let all = Arc::make_mut(&mut self.quotas);
        let quotas = all.entry(entity.clone()).or_default();
        match value {
            Some(value) => drop(quotas.insert(name.to_owned(), value)),
            None => drop(quotas.remove(name)),
        }
        if quotas.is_empty() {
            all.remove(entity);
        }
    }

    fn raise_epochs(&mut self, leader: NodeId) {
        for topic in self.topics.values_mut() {
            for state in &mut Arc::make_mut(topic).partitions {
                if state.leader == leader {
                    state.leader_epoch = LeaderEpoch::new(state.leader_epoch.get() + 1);
                    state.partition_epoch += 1;
                }
            }
        }
    }

    /// The image without the removed topics that nothing is left of: those that are not `left`.
    #[must_use]
    pub fn without_traces(&self, left: impl Fn(&Uuid) -> bool) -> Self {
        let mut next = self.clone();
        Arc::make_mut(&mut next.removed).retain(left);
        next
    }

    /// The records that make this image out of an empty one.
    fn records(&self) -> Vec<MetadataRecord> {
        let mut records = Vec::new();
        for broker in self.brokers.values() {
            records.push(MetadataRecord::Broker(broker.clone()));
        }
        for topic in self.topics() {
            let (id, name) = (topic.id, topic.name.to_string());
            records.push(MetadataRecord::Topic { id, name });
            for (partition, state) in (0..).map(PartitionIndex::new).zip(&topic.partitions) {
                let state = state.clone();
                records.push(MetadataRecord::Partition { topic: id, partition, state });
            }
            let settings = topic.settings.iter();
            records.extend(settings.map(|(name, value)| MetadataRecord::Setting {
                resource_type: resource_type::TOPIC,
                resource: topic.name.to_string(),
                name: name.clone(),
                value: Some(value.clone()),
            }));
        }
        for ((resource_type, resource), settings) in &self.settings {
            records.extend(settings.iter().map(|(name, value)| MetadataRecord::Setting {
                resource_type: *resource_type,
                resource: resource.clone(),
                name: name.clone(),
                value: Some(value.clone()),
            }));
        }
        for (entity, quotas) in &*self.quotas {
            records.extend(quotas.iter().map(|(name, value)| MetadataRecord::Quota {
                entity: entity.clone(),
                name: name.clone(),
                value: Some(*value),
            }));
        }
        records.extend(self.removed.iter().map(|id| MetadataRecord::TopicRemoval { id: *id }));
        let features = self.features.iter();
        records.extend(
            features
                .map(|(name, level)| MetadataRecord::Feature { name: name.clone(), level: *level }),
        );
        records.push(MetadataRecord::ProducerIds { next: self.next_producer_id });
        records
    }

    /// The bytes of a snapshot.
    pub fn encode_snapshot(&self) -> Vec<u8> {
        encode_snapshot(self.at, self.cluster_id, &self.records())
    }

    /// The image in a snapshot; `None` when it is none.
    pub fn decode_snapshot(bytes: &[u8]) -> Option<Self> {
        let (at, cluster_id, records) = decode_snapshot(bytes)?;
        let mut image = Self::new(cluster_id);
        for record in &records {
            image.apply_record(record).ok()?;
        }
        image.at = at;
        Some(image)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::BrokerEpoch;

    fn state(leader: i32) -> PartitionState {
        PartitionState {
            replicas: vec![NodeId::new(leader)],
            in_sync_replicas: vec![NodeId::new(leader)],
            leader: NodeId::new(leader),
            leader_epoch: LeaderEpoch::new(3),
            partition_epoch: 4,
            log_directory: Uuid::from_halves(5, 6),
        }
    }

    fn entry(index: u64, records: Vec<MetadataRecord>) -> MetadataEntry {
        MetadataEntry { at: LogIndex { term: 1, index }, records }
    }

    fn topic(id: u64, name: &str) -> [MetadataRecord; 2] {
        let id = Uuid::from_halves(id, id);
        let partition = PartitionIndex::new(0);
        [
            MetadataRecord::Topic { id, name: name.to_owned() },
            MetadataRecord::Partition { topic: id, partition, state: state(1) },
        ]
    }

    fn quota(user: Option<&str>, value: Option<f64>) -> MetadataRecord {
        MetadataRecord::Quota {
            entity: [("user".to_owned(), user.map(str::to_owned))].into(),
            name: "request_percentage".to_owned(),
            value: value.map(QuotaValue::new),
        }
    }

    fn filled() -> Image {
        let setting = |resource_type, resource: &str| MetadataRecord::Setting {
            resource_type,
            resource: resource.to_owned(),
            name: "retention.ms".to_owned(),
            value: Some("5".to_owned()),
        };
        let broker = Broker {
            id: NodeId::new(1),
            incarnation: Uuid::from_halves(9, 9),
            epoch: BrokerEpoch::new(7),
            host: "localhost".to_owned(),
            port: 9092,
            rack: Some("r".to_owned()),
        };
        let mut records = vec![MetadataRecord::Broker(broker)];
        records.extend(topic(1, "one"));
        records.extend(topic(2, "two"));
        records.push(setting(resource_type::TOPIC, "one"));
        records.push(setting(resource_type::BROKER, ""));
        records.push(MetadataRecord::ProducerIds { next: ProducerId::new(1000) });
        records.push(MetadataRecord::Feature { name: "f".to_owned(), level: 2 });
        records.push(quota(Some("u"), Some(2.5)));
        records.push(quota(None, Some(1.0)));
        let removed = MetadataRecord::TopicRemoval { id: Uuid::from_halves(2, 2) };
        let image = Image::new(Uuid::from_halves(3, 3)).apply(&entry(1, records)).unwrap();
        image.apply(&entry(2, vec![removed])).unwrap()
    }

    #[test]
    fn a_snapshot_makes_the_same_image() {
        let image = filled();
        assert_eq!(Image::decode_snapshot(&image.encode_snapshot()), Some(image));
        assert_eq!(Image::decode_snapshot(b"something else"), None);
    }

    #[test]
    fn entries_are_read_back() {
        let mut records = topic(1, "one").to_vec();
        records.push(MetadataRecord::LeaderEpochs { leader: NodeId::new(1) });
        let entry = entry(1, records);
        assert_eq!(MetadataEntry::decode(&entry.encode()), Some(entry));
    }

    #[test]
    fn names_lead_to_topics_until_they_are_removed() {
        let image = filled();
        assert_eq!(image.topic_named("one").unwrap().settings["retention.ms"], "5");
        assert!(image.topic_named("two").is_none());
        assert!(image.removed.contains(&Uuid::from_halves(2, 2)));
        assert_eq!(image.without_traces(|id| *id == Uuid::from_halves(2, 2)), image);
        assert!(image.without_traces(|_| false).removed.is_empty());
        let again = entry(3, topic(4, "two").to_vec());
        assert_eq!(image.apply(&again).unwrap().topic_count(), 2);
    }

    #[test]
    fn nothing_is_left_of_what_has_no_settings_and_no_quotas_any_more() {
        let image = filled();
        assert_eq!(image.resources(resource_type::BROKER).collect::<Vec<_>>(), [""]);
        assert_eq!(image.resources(resource_type::GROUP).count(), 0);
        assert_eq!(image.quotas.len(), 2);
        let unset = MetadataRecord::Setting {
            resource_type: resource_type::BROKER,
            resource: String::new(),
            name: "retention.ms".to_owned(),
            value: None,
        };
        let entry = entry(3, vec![unset, quota(Some("u"), None)]);
        assert_eq!(MetadataEntry::decode(&entry.encode()), Some(entry.clone()));
        let image = image.apply(&entry).unwrap();
        assert_eq!(image.resources(resource_type::BROKER).count(), 0);
        assert_eq!(image.quotas.keys().next().unwrap()["user"], None);
        assert_eq!(image.quotas.len(), 1);
    }

    #[test]
    fn what_does_not_follow_is_refused() {
        let image = filled();
        assert!(image.apply(&entry(4, Vec::new())).is_err());
        assert!(image.apply(&entry(3, topic(1, "other").to_vec())).is_err());
        let lower = MetadataRecord::ProducerIds { next: ProducerId::new(1) };
        assert!(image.apply(&entry(3, vec![lower])).is_err());
    }

    #[test]
    fn an_unclean_start_raises_the_epochs_of_what_the_broker_leads() {
        let raised = |leader| {
            let record = MetadataRecord::LeaderEpochs { leader: NodeId::new(leader) };
            let image = filled().apply(&entry(3, vec![record])).unwrap();
            image.topic_named("one").unwrap().partitions[0].leader_epoch.get()
        };
        assert_eq!((raised(1), raised(2)), (4, 3));
    }
}
