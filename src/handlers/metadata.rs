//! Metadata: brokers, topics, leaders; creates topics that are asked for and missing.
//!
//! Behaviour: null topics are all, an empty list none (in version 0 all); topics are created once
//! however many clients ask, and the answer then has the leader; authorized operations that were not
//! asked for are -2^31. A topic asked for twice is answered once, as by Kafka.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::context::{Context, Frame, Handled};
use super::operation::Kind;
use super::topics::is_internal;
use crate::controller::{Answer, Command, CreateTopicError, NewTopic};
use crate::metadata::{Image, Topic, validate_topic_name};
use crate::protocol::messages::metadata::{
    MetadataRequest, MetadataResponse, MetadataResponseBroker, MetadataResponsePartition,
    MetadataResponseTopic,
};
use crate::protocol::{Array, ErrorCode, Message as _};
use crate::types::Uuid;

/// The bits of every operation on a cluster, and on a topic: nobody is refused anything yet.
const CLUSTER_OPERATIONS: i32 = 0b1_1111_1010_0000;
pub(super) const TOPIC_OPERATIONS: i32 = 0b1101_1111_1000;
/// Not asked for.
const NO_OPERATIONS: i32 = i32::MIN;

/// Everything that may be done to the cluster, if that was asked for.
pub(super) fn cluster_operations(asked: bool) -> i32 {
    if asked { CLUSTER_OPERATIONS } else { NO_OPERATIONS }
}

/// A request that waits for topics to be created.
#[derive(Debug)]
pub struct Metadata {
    version: i16,
    wanted: Vec<Wanted>,
    operations: (bool, bool),
    /// Topics that could not be created.
    refused: BTreeMap<String, ErrorCode>,
    /// Why none could be.
    refused_all: Option<ErrorCode>,
}

#[derive(Clone, Debug)]
enum Wanted {
    Name(String),
    Id(Uuid),
}

/// Handles a request.
pub(super) fn handle(ctx: &mut Context<'_>, frame: &Frame<'_>) -> Handled {
    let Ok(request) = MetadataRequest::decode(frame.body, frame.version) else {
        return Handled::Close("a Metadata request that cannot be decoded");
    };
    let operations = (
        request.include_cluster_authorized_operations,
        request.include_topic_authorized_operations,
    );
    let everything = match &request.topics {
        None => true,
        Some(topics) => frame.version == 0 && topics.is_empty(),
    };
    let wanted: Vec<Wanted> = if everything {
        ctx.image.topics().map(|topic| Wanted::Name(topic.name.to_string())).collect()
    } else {
        let topics = request.topics.iter().flat_map(|topics| topics.iter());
        let mut seen = BTreeSet::new();
        let topics = topics.filter(|topic| {
            seen.insert((topic.name, topic.name.is_none().then(|| topic.topic_id.halves())))
        });
        topics
            .map(|topic| match topic.name {
                Some(name) => Wanted::Name(name.to_owned()),
                None => Wanted::Id(topic.topic_id),
            })
            .collect()
    };
    let metadata = Metadata {
        version: frame.version,
        wanted,
        operations,
        refused: BTreeMap::new(),
        refused_all: None,
    };
    let creates = request.allow_auto_topic_creation && ctx.settings.topic_creation.automatic;
    let missing = if creates { metadata.missing(ctx.image) } else { Vec::new() };
    if missing.is_empty() {
        metadata.respond(ctx, frame.correlation_id);
        return Handled::Responded;
    }
    ctx.command(Command::CreateTopics { topics: missing, validate_only: false });
    Handled::Pending(Kind::Metadata(Box::new(metadata)))
}

impl Metadata {
    fn missing(&self, image: &Image) -> Vec<NewTopic> {
        let names = self.wanted.iter().filter_map(|wanted| match wanted {
            Wanted::Name(name) => Some(name),
            Wanted::Id(_) => None,
        });
        names
            .filter(|name| image.topic_named(name).is_none())
            .filter(|name| validate_topic_name(name).is_ok() && !is_internal(name))
            .map(|name| NewTopic {
                name: name.clone(),
                partitions: -1,
                replication_factor: -1,
                ..NewTopic::default()
            })
            .collect()
    }

    /// The controller has created what could be.
    pub(super) fn commanded(&mut self, ctx: &mut Context<'_>, answer: Answer, correlation_id: i32) {
        let Answer::Created(results) = answer else {
            unreachable!("a creation was answered by {answer:?}")
        };
        for result in results {
            match result {
                // Somebody else asked for it at the same time.
                Ok(_) | Err(CreateTopicError::Exists(_)) => {}
                Err(CreateTopicError::Collides { name, .. }) => {
                    self.refused.insert(name, ErrorCode::InvalidTopicException);
                }
                Err(CreateTopicError::ReplicationFactor { .. }) => {
                    self.refused_all = Some(ErrorCode::InvalidReplicationFactor);
                }
                Err(_) => {}
            }
        }
        self.respond(ctx, correlation_id);
    }

    /// Writes the response.
    fn respond(&self, ctx: &mut Context<'_>, correlation_id: i32) {
        let image = Arc::clone(ctx.image);
        let brokers: Vec<MetadataResponseBroker<'_>> = image
            .brokers
            .values()
            .map(|broker| MetadataResponseBroker {
                node_id: broker.id.get(),
                host: &broker.host,
                port: i32::from(broker.port),
                rack: broker.rack.as_deref(),
            })
            .collect();
        let found: Vec<Option<&Arc<Topic>>> = self
            .wanted
            .iter()
            .map(|wanted| match wanted {
                Wanted::Name(name) => image.topic_named(name),
                Wanted::Id(id) => image.topic(*id),
            })
            .collect();
        let nodes: Vec<Vec<Nodes>> = found.iter().map(|topic| nodes_of(*topic)).collect();
        let partitions: Vec<Vec<MetadataResponsePartition<'_>>> =
            found.iter().zip(&nodes).map(|(topic, nodes)| partitions_of(*topic, nodes)).collect();
        let topics: Vec<MetadataResponseTopic<'_>> = self
            .wanted
            .iter()
            .zip(found)
            .zip(&partitions)
            .map(|((wanted, topic), partitions)| self.topic(wanted, topic, partitions))
            .collect();
        let cluster_id = image.cluster_id.to_string();
        let response = MetadataResponse {
            brokers: Array::new(&brokers),
            cluster_id: Some(&cluster_id),
            controller_id: ctx.identity.node.get(),
            topics: Array::new(&topics),
            cluster_authorized_operations: cluster_operations(self.operations.0),
            ..Default::default()
        };
        ctx.responder.respond(correlation_id, self.version, &response, []);
    }

    fn topic<'a>(
        &'a self,
        wanted: &'a Wanted,
        topic: Option<&'a Arc<Topic>>,
        partitions: &'a [MetadataResponsePartition<'a>],
    ) -> MetadataResponseTopic<'a> {
        let asked = if self.operations.1 { TOPIC_OPERATIONS } else { NO_OPERATIONS };
        if let Some(topic) = topic {
            return MetadataResponseTopic {
                error_code: 0,
                name: Some(&topic.name),
                topic_id: topic.id,
                is_internal: is_internal(&topic.name),
                partitions: Array::new(partitions),
                topic_authorized_operations: asked,
            };
        }
        let (name, topic_id, error) = match wanted {
            Wanted::Id(id) => (None, *id, ErrorCode::UnknownTopicId),
            Wanted::Name(name) => {
                let refused = self.refused.get(name).copied().or(self.refused_all);
                let error = match (validate_topic_name(name), refused) {
                    (Err(_), _) => ErrorCode::InvalidTopicException,
                    (Ok(()), Some(error)) => error,
                    (Ok(()), None) => ErrorCode::UnknownTopicOrPartition,
                };
                (Some(name.as_str()), Uuid::ZERO, error)
            }
        };
        MetadataResponseTopic {
            error_code: error.code(),
            name,
            topic_id,
            topic_authorized_operations: NO_OPERATIONS,
            ..Default::default()
        }
    }
}

/// The numbers of replicas and of those in sync.
type Nodes = (Vec<i32>, Vec<i32>);

fn nodes_of(topic: Option<&Arc<Topic>>) -> Vec<Nodes> {
    let numbers = |nodes: &[crate::types::NodeId]| nodes.iter().map(|node| node.get()).collect();
    let states = topic.map_or(&[][..], |topic| &topic.partitions);
    states
        .iter()
        .map(|state| (numbers(&state.replicas), numbers(&state.in_sync_replicas)))
        .collect()
}

fn partitions_of<'a>(
    topic: Option<&'a Arc<Topic>>,
    nodes: &'a [Nodes],
) -> Vec<MetadataResponsePartition<'a>> {
    let states = topic.map_or(&[][..], |topic| &topic.partitions);
    (0..)
        .zip(states.iter().zip(nodes))
        .map(|(partition_index, (state, (replicas, in_sync)))| MetadataResponsePartition {
            error_code: if state.leader.get() < 0 {
                ErrorCode::LeaderNotAvailable.code()
            } else {
                0
            },
            partition_index,
            leader_id: state.leader.get(),
            leader_epoch: state.leader_epoch.get(),
            replica_nodes: Array::new(replicas),
            isr_nodes: Array::new(in_sync),
            offline_replicas: Array::EMPTY,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn topics_that_are_missing_are_found_in_time() {
        let names: Vec<String> = (0..200_000).map(|number| format!("t{number}")).collect();
        let wanted = names.into_iter().map(Wanted::Name).collect();
        let (operations, refused, refused_all) = ((false, false), BTreeMap::new(), None);
        let metadata = Metadata { version: 9, wanted, operations, refused, refused_all };
        let start = std::time::Instant::now();
        assert_eq!(metadata.missing(&Image::new(Uuid::ZERO)).len(), 200_000);
        // Comparing each with all others takes twenty billion steps.
        assert!(start.elapsed().as_secs() < 2, "{:?}", start.elapsed());
    }
}
