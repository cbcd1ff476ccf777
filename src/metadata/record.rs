//! The records of the metadata log, and their bytes (`schema/internal/metadata.fbs`).

use flatbuffers::{FlatBufferBuilder, WIPOffset};

use super::quota::{QuotaEntity, QuotaValue};
use crate::formats::metadata as format;
use crate::types::{BrokerEpoch, LeaderEpoch, NodeId, PartitionIndex, ProducerId, Uuid};

/// One thing that the controller decided.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum MetadataRecord {
    /// A topic exists; its partitions follow.
    Topic {
        /// Its id, for good.
        id: Uuid,
        /// Its name.
        name: String,
    },
    /// A partition is in this state.
    Partition {
        /// Its topic.
        topic: Uuid,
        /// Its index.
        partition: PartitionIndex,
        /// The state.
        state: PartitionState,
    },
    /// A topic is deleted.
    TopicRemoval {
        /// Its id.
        id: Uuid,
    },
    /// A setting has a value, or none of its own any more.
    Setting {
        /// Kafka's number for the kind of resource.
        resource_type: i8,
        /// The resource's name.
        resource: String,
        /// The setting's name.
        name: String,
        /// The value.
        value: Option<String>,
    },
    /// Producer ids below this one have been handed out.
    ProducerIds {
        /// The first free one.
        next: ProducerId,
    },
    /// A broker is there.
    Broker(Broker),
    /// Every partition that this broker leads gets the next leader epoch.
    LeaderEpochs {
        /// The broker.
        leader: NodeId,
    },
    /// Somebody's quota has a value, or none any more.
    Quota {
        /// Whose.
        entity: QuotaEntity,
        /// The quota's name.
        name: String,
        /// The value.
        value: Option<QuotaValue>,
    },
    /// A feature has this level.
    Feature {
        /// Its name.
        name: String,
        /// The level; 0 is off.
        level: i16,
    },
}

impl MetadataRecord {
    /// The most bytes that it takes in an entry.
    pub fn bytes_max(&self) -> usize {
        // Tables, ids and numbers, and the lengths and ends of strings.
        const FIXED: usize = 192;
        const QUOTA_PART: usize = 64;
        FIXED
            + match self {
                Self::Topic { name, .. } | Self::Feature { name, .. } => name.len(),
                Self::Partition { state, .. } => {
                    let PartitionState { replicas, in_sync_replicas, .. } = state;
                    size_of_val(&**replicas) + size_of_val(&**in_sync_replicas)
                }
                Self::Setting { resource, name, value, .. } => {
                    resource.len() + name.len() + value.as_ref().map_or(0, String::len)
                }
                Self::Broker(Broker { host, rack, .. }) => {
                    host.len() + rack.as_ref().map_or(0, String::len)
                }
                Self::Quota { entity, name, .. } => {
                    let parts = entity.iter().map(|(kind, name)| {
                        QUOTA_PART + kind.len() + name.as_ref().map_or(0, String::len)
                    });
                    name.len() + parts.sum::<usize>()
                }
                Self::TopicRemoval { .. }
                | Self::ProducerIds { .. }
                | Self::LeaderEpochs { .. } => 0,
            }
    }
}

/// What the controller knows of one partition.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PartitionState {
    /// The brokers that have a replica, the preferred leader first.
    pub replicas: Vec<NodeId>,
    /// Those that are in sync.
    pub in_sync_replicas: Vec<NodeId>,
    /// The leader; -1 when there is none.
    pub leader: NodeId,
    /// Raised at each change of leader.
    pub leader_epoch: LeaderEpoch,
    /// Raised at each change at all (KIP-497).
    pub partition_epoch: i32,
    /// The log directory on the first replica's broker.
    pub log_directory: Uuid,
}

/// A registered broker.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Broker {
    /// Its id.
    pub id: NodeId,
    /// Chosen at random at each start.
    pub incarnation: Uuid,
    /// Raised at each registration.
    pub epoch: BrokerEpoch,
    /// Where clients reach it.
    pub host: String,
    /// The same.
    pub port: u16,
    /// Its rack.
    pub rack: Option<String>,
}

/// A number in the metadata log, as raft would give it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub struct LogIndex {
    /// The term in which it was written.
    pub term: u64,
    /// Its place; the first is 1.
    pub index: u64,
}

/// An entry of the metadata log.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct MetadataEntry {
    /// Its number.
    pub at: LogIndex,
    /// What was decided together.
    pub records: Vec<MetadataRecord>,
}

fn id_of(id: Uuid) -> format::Id {
    let (high, low) = id.halves();
    format::Id::new(high, low)
}

fn uuid_of(id: Option<&format::Id>) -> Option<Uuid> {
    id.map(|id| Uuid::from_halves(id.high(), id.low()))
}

type Builder<'b> = FlatBufferBuilder<'b>;
type Body = (format::Body, WIPOffset<flatbuffers::UnionWIPOffset>);

fn encode_record<'b>(
    builder: &mut Builder<'b>,
    record: &MetadataRecord,
) -> WIPOffset<format::Record<'b>> {
    let (body_type, body) = encode_body(builder, record);
    let body = Some(body);
    format::Record::create(builder, &format::RecordArgs { body_type, body })
}

fn encode_body(builder: &mut Builder<'_>, record: &MetadataRecord) -> Body {
    match record {
        MetadataRecord::Topic { id, name } => {
            let name = Some(builder.create_string(name));
            let args = format::TopicArgs { id: Some(&id_of(*id)), name };
            let body = format::Topic::create(builder, &args);
            (format::Body::Topic, body.as_union_value())
        }
        MetadataRecord::Partition { topic, partition, state } => {
            (format::Body::Partition, encode_partition(builder, *topic, *partition, state))
        }
        MetadataRecord::TopicRemoval { id } => {
            let args = format::TopicRemovalArgs { id: Some(&id_of(*id)) };
            let body = format::TopicRemoval::create(builder, &args);
            (format::Body::TopicRemoval, body.as_union_value())
        }
        MetadataRecord::Setting { resource_type, resource, name, value } => {
            let args = format::SettingArgs {
                resource_type: *resource_type,
                resource: Some(builder.create_string(resource)),
                name: Some(builder.create_string(name)),
                value: value.as_ref().map(|value| builder.create_string(value)),
            };
            (format::Body::Setting, format::Setting::create(builder, &args).as_union_value())
        }
        MetadataRecord::ProducerIds { next } => {
            let args = format::ProducerIdsArgs { next: next.get() };
            let body = format::ProducerIds::create(builder, &args);
            (format::Body::ProducerIds, body.as_union_value())
        }
        MetadataRecord::Broker(broker) => (format::Body::Broker, encode_broker(builder, broker)),
        MetadataRecord::LeaderEpochs { leader } => {
            let args = format::LeaderEpochsArgs { leader: leader.get() };
            let body = format::LeaderEpochs::create(builder, &args);
            (format::Body::LeaderEpochs, body.as_union_value())
        }
        MetadataRecord::Quota { entity, name, value } => {
            (format::Body::Quota, encode_quota(builder, entity, name, *value))
        }
        MetadataRecord::Feature { name, level } => {
            let name = Some(builder.create_string(name));
            let body =
                format::Feature::create(builder, &format::FeatureArgs { name, level: *level });
            (format::Body::Feature, body.as_union_value())
        }
    }
}

fn encode_partition(
    builder: &mut Builder<'_>,
    topic: Uuid,
    partition: PartitionIndex,
    state: &PartitionState,
) -> WIPOffset<flatbuffers::UnionWIPOffset> {
    let numbers = |nodes: &[NodeId]| nodes.iter().map(|node| node.get()).collect::<Vec<i32>>();
    let replicas = builder.create_vector(&numbers(&state.replicas));
    let in_sync_replicas = builder.create_vector(&numbers(&state.in_sync_replicas));
    let args = format::PartitionArgs {
        topic: Some(&id_of(topic)),
        partition: partition.get(),
        replicas: Some(replicas),
        in_sync_replicas: Some(in_sync_replicas),
        leader: state.leader.get(),
        leader_epoch: state.leader_epoch.get(),
        partition_epoch: state.partition_epoch,
        log_directory: Some(&id_of(state.log_directory)),
    };
    format::Partition::create(builder, &args).as_union_value()
}

fn encode_broker(
    builder: &mut Builder<'_>,
    broker: &Broker,
) -> WIPOffset<flatbuffers::UnionWIPOffset> {
    let args = format::BrokerArgs {
        id: broker.id.get(),
        incarnation: Some(&id_of(broker.incarnation)),
        broker_epoch: broker.epoch.get(),
        host: Some(builder.create_string(&broker.host)),
        port: broker.port,
        rack: broker.rack.as_ref().map(|rack| builder.create_string(rack)),
    };
    format::Broker::create(builder, &args).as_union_value()
}

fn encode_quota(
    builder: &mut Builder<'_>,
    entity: &QuotaEntity,
    name: &str,
    value: Option<QuotaValue>,
) -> WIPOffset<flatbuffers::UnionWIPOffset> {
    let parts: Vec<_> = entity
        .iter()
        .map(|(kind, name)| {
            let kind = Some(builder.create_string(kind));
            let name = name.as_ref().map(|name| builder.create_string(name));
            format::QuotaPart::create(builder, &format::QuotaPartArgs { kind, name })
        })
        .collect();
    let args = format::QuotaArgs {
        entity: Some(builder.create_vector(&parts)),
        name: Some(builder.create_string(name)),
        value: value.map_or(0.0, QuotaValue::get),
        removed: value.is_none(),
    };
    format::Quota::create(builder, &args).as_union_value()
}

impl MetadataEntry {
    /// Its bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut builder = FlatBufferBuilder::new();
        let records: Vec<_> =
            self.records.iter().map(|record| encode_record(&mut builder, record)).collect();
        let records = Some(builder.create_vector(&records));
        let LogIndex { term, index } = self.at;
        let entry =
            format::Entry::create(&mut builder, &format::EntryArgs { term, index, records });
        builder.finish(entry, None);
        builder.finished_data().to_vec()
    }

    /// The entry in `bytes`; `None` when it is none.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let entry = flatbuffers::root_with_opts::<format::Entry<'_>>(&OPTIONS, bytes).ok()?;
        let records = entry.records().iter().map(|record| decode_record(&record));
        let at = LogIndex { term: entry.term(), index: entry.index() };
        Some(Self { at, records: records.collect::<Option<_>>()? })
    }
}

/// The library's own bound on tables is below what a cluster may have.
const OPTIONS: flatbuffers::VerifierOptions = flatbuffers::VerifierOptions {
    max_depth: 64,
    max_tables: 100_000_000,
    max_apparent_size: 1 << 31,
    ignore_missing_null_terminator: false,
};

/// The bytes of a snapshot that contains everything up to `at`.
pub(super) fn encode_snapshot(
    at: LogIndex,
    cluster_id: Uuid,
    records: &[MetadataRecord],
) -> Vec<u8> {
    let mut builder = FlatBufferBuilder::new();
    let records: Vec<_> =
        records.iter().map(|record| encode_record(&mut builder, record)).collect();
    let records = Some(builder.create_vector(&records));
    let LogIndex { term, index } = at;
    let cluster_id = Some(&id_of(cluster_id)).copied();
    let args = format::SnapshotArgs { term, index, cluster_id: cluster_id.as_ref(), records };
    let snapshot = format::Snapshot::create(&mut builder, &args);
    builder.finish(snapshot, None);
    builder.finished_data().to_vec()
}

/// The snapshot in `bytes`; `None` when it is none.
pub(super) fn decode_snapshot(bytes: &[u8]) -> Option<(LogIndex, Uuid, Vec<MetadataRecord>)> {
    let snapshot = flatbuffers::root_with_opts::<format::Snapshot<'_>>(&OPTIONS, bytes).ok()?;
    let records = snapshot.records().iter().map(|record| decode_record(&record));
    let at = LogIndex { term: snapshot.term(), index: snapshot.index() };
    Some((at, uuid_of(snapshot.cluster_id())?, records.collect::<Option<_>>()?))
}

fn decode_record(record: &format::Record<'_>) -> Option<MetadataRecord> {
    Some(match record.body_type() {
        format::Body::Topic => {
            let body = record.body_as_topic()?;
            MetadataRecord::Topic { id: uuid_of(body.id())?, name: body.name().to_owned() }
        }
        format::Body::Partition => decode_partition(&record.body_as_partition()?)?,
        format::Body::TopicRemoval => {
            MetadataRecord::TopicRemoval { id: uuid_of(record.body_as_topic_removal()?.id())? }
        }
        format::Body::Setting => {
            let body = record.body_as_setting()?;
            MetadataRecord::Setting {
                resource_type: body.resource_type(),
                resource: body.resource().to_owned(),
                name: body.name().to_owned(),
                value: body.value().map(str::to_owned),
            }
        }
        format::Body::ProducerIds => MetadataRecord::ProducerIds {
            next: ProducerId::new(record.body_as_producer_ids()?.next()),
        },
        format::Body::Broker => {
            let body = record.body_as_broker()?;
            MetadataRecord::Broker(Broker {
                id: NodeId::new(body.id()),
                incarnation: uuid_of(body.incarnation())?,
                epoch: BrokerEpoch::new(body.broker_epoch()),
                host: body.host().to_owned(),
                port: body.port(),
                rack: body.rack().map(str::to_owned),
            })
        }
        format::Body::LeaderEpochs => MetadataRecord::LeaderEpochs {
            leader: NodeId::new(record.body_as_leader_epochs()?.leader()),
        },
        format::Body::Quota => {
            let body = record.body_as_quota()?;
            let part = |part: format::QuotaPart<'_>| {
                (part.kind().to_owned(), part.name().map(str::to_owned))
            };
            MetadataRecord::Quota {
                entity: body.entity().iter().map(part).collect(),
                name: body.name().to_owned(),
                value: (!body.removed()).then(|| QuotaValue::new(body.value())),
            }
        }
        format::Body::Feature => {
            let body = record.body_as_feature()?;
            MetadataRecord::Feature { name: body.name().to_owned(), level: body.level() }
        }
        _ => return None,
    })
}

fn decode_partition(body: &format::Partition<'_>) -> Option<MetadataRecord> {
    let nodes = |numbers: Option<flatbuffers::Vector<'_, i32>>| {
        numbers.into_iter().flatten().map(NodeId::new).collect::<Vec<_>>()
    };
    Some(MetadataRecord::Partition {
        topic: uuid_of(body.topic())?,
        partition: PartitionIndex::new(body.partition()),
        state: PartitionState {
            replicas: nodes(body.replicas()),
            in_sync_replicas: nodes(body.in_sync_replicas()),
            leader: NodeId::new(body.leader()),
            leader_epoch: LeaderEpoch::new(body.leader_epoch()),
            partition_epoch: body.partition_epoch(),
            log_directory: uuid_of(body.log_directory())?,
        },
    })
}
