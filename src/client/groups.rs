//! Consumer groups: who is in them, and how far they are.

use core::time::Duration;
use std::collections::BTreeMap;

use super::{ClientError, Cluster, Patience};
use crate::protocol::messages::consumer_protocol::ConsumerProtocolAssignment;
use crate::protocol::messages::delete_groups::{DeleteGroupsRequest, DeleteGroupsResponse};
use crate::protocol::messages::describe_groups::{DescribeGroupsRequest, DescribeGroupsResponse};
use crate::protocol::messages::find_coordinator::{
    FindCoordinatorRequest, FindCoordinatorResponse,
};
use crate::protocol::messages::list_groups::{ListGroupsRequest, ListGroupsResponse};
use crate::protocol::messages::offset_commit::{
    OffsetCommitRequest, OffsetCommitRequestPartition, OffsetCommitRequestTopic,
    OffsetCommitResponse,
};
use crate::protocol::messages::offset_delete::{
    OffsetDeleteRequest, OffsetDeleteRequestPartition, OffsetDeleteRequestTopic,
    OffsetDeleteResponse,
};
use crate::protocol::messages::offset_fetch::{
    OffsetFetchRequest, OffsetFetchRequestGroup, OffsetFetchResponse,
};
use crate::protocol::{Array, Message as _, Request};
use crate::types::Offset;

/// How long a coordinator may be on its way, or load.
const TIMEOUT: Duration = Duration::from_secs(30);
/// Later versions name topics by their ids.
const NAMES_UNTIL: i16 = 9;

/// A partition of a topic, by name.
pub type NamedPartition = (String, i32);

/// A group in a list.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct ListedGroup {
    /// Its id.
    pub id: String,
    /// What its members speak, `consumer` for consumers.
    pub protocol_type: String,
    /// Its state; empty from brokers that do not tell.
    pub state: String,
    /// `classic`, `consumer` or another; empty from brokers that do not tell.
    pub kind: String,
}

/// A group.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Group {
    /// Its state.
    pub state: String,
    /// How partitions are assigned.
    pub assignor: String,
    /// Its members.
    pub members: Vec<Member>,
}

impl Group {
    /// Whether offsets may be changed from outside.
    pub fn is_at_rest(&self) -> bool {
        matches!(self.state.as_str(), "Empty" | "Dead")
    }
}

/// A member of a group.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Member {
    /// Its id.
    pub id: String,
    /// Its static id, if it has one.
    pub instance_id: Option<String>,
    /// What the client calls itself.
    pub client_id: String,
    /// Where it is.
    pub host: String,
    /// The partitions that it consumes.
    pub partitions: Vec<NamedPartition>,
}

/// The groups of all brokers.
///
/// # Errors
/// A broker does not answer.
pub fn list(cluster: &mut Cluster) -> Result<Vec<ListedGroup>, ClientError> {
    let brokers = cluster.brokers()?.clone();
    let mut groups = Vec::new();
    for (node, address) in brokers {
        let mut patience = Patience::new(TIMEOUT);
        loop {
            let request = ListGroupsRequest::default();
            let answer = cluster.ask_at_most(&address, i16::MAX, &request)?;
            let response: ListGroupsResponse<'_> = answer.decode()?;
            if response.error_code == 0 {
                groups.extend(response.groups.iter().map(|group| ListedGroup {
                    id: group.group_id.to_owned(),
                    protocol_type: group.protocol_type.to_owned(),
                    state: group.group_state.to_owned(),
                    kind: group.group_type.to_owned(),
                }));
                break;
            }
            let what = format!("the groups of broker {node}");
            patience.after(ClientError::refused(what, response.error_code, None))?;
        }
    }
    groups.sort();
    groups.dedup();
    Ok(groups)
}

/// Asks a group's coordinator, until it is there and has loaded the group.
fn ask<'a, R: Request<'a>, T>(
    cluster: &mut Cluster,
    group: &str,
    request: &R,
    read: impl Fn(&super::Answer) -> Result<T, ClientError>,
) -> Result<T, ClientError> {
    let mut patience = Patience::new(TIMEOUT);
    loop {
        let attempt = coordinator(cluster, group).and_then(|address| {
            let answer = cluster.ask_at_most(&address, NAMES_UNTIL, request)?;
            read(&answer)
        });
        match attempt {
            Err(error) if error.code().is_some() => patience.after(error)?,
            other => return other,
        }
    }
}

fn coordinator(cluster: &mut Cluster, group: &str) -> Result<String, ClientError> {
    let keys = [group];
    let request =
        FindCoordinatorRequest { key: group, key_type: 0, coordinator_keys: Array::new(&keys) };
    let answer = cluster.ask_any(&request)?;
    let response: FindCoordinatorResponse<'_> = answer.decode()?;
    let (code, message, host, port) = match response.coordinators.iter().next() {
        Some(found) => (found.error_code, found.error_message, found.host, found.port),
        None => (response.error_code, response.error_message, response.host, response.port),
    };
    if code != 0 {
        let message = message.filter(|message| !message.is_empty());
        return Err(ClientError::refused(format!("coordinator of group {group}"), code, message));
    }
    Ok(super::cluster::join(host, port))
}

/// A group's state and members.
///
/// # Errors
/// Its coordinator does not tell.
pub fn describe(cluster: &mut Cluster, id: &str) -> Result<Group, ClientError> {
    let ids = [id];
    let request =
        DescribeGroupsRequest { groups: Array::new(&ids), include_authorized_operations: false };
    ask(cluster, id, &request, |answer| {
        let response: DescribeGroupsResponse<'_> = answer.decode()?;
        let refused = |code, message| ClientError::refused(format!("group {id}"), code, message);
        let group = response.groups.iter().next().ok_or_else(|| refused(-1, None))?;
        if group.error_code != 0 {
            return Err(refused(group.error_code, group.error_message));
        }
        let members = group.members.iter().map(|member| Member {
            id: member.member_id.to_owned(),
            instance_id: member.group_instance_id.map(str::to_owned),
            client_id: member.client_id.to_owned(),
            host: member.client_host.to_owned(),
            partitions: assigned(member.member_assignment),
        });
        Ok(Group {
            state: group.group_state.to_owned(),
            assignor: group.protocol_data.to_owned(),
            members: members.collect(),
        })
    })
}

/// What a member consumes; nothing where its bytes are not those of a consumer.
fn assigned(bytes: &[u8]) -> Vec<NamedPartition> {
    let Some((version, body)) = bytes.split_first_chunk() else { return Vec::new() };
    let newest = *ConsumerProtocolAssignment::VERSIONS.end();
    let version = i16::from_be_bytes(*version).clamp(0, newest);
    let Ok(assignment) = ConsumerProtocolAssignment::decode(body, version) else {
        return Vec::new();
    };
    let mut partitions: Vec<NamedPartition> = assignment
        .assigned_partitions
        .iter()
        .flat_map(|of| of.partitions.iter().map(move |index| (of.topic.to_owned(), index)))
        .collect();
    partitions.sort();
    partitions
}

/// The offsets that a group has committed.
///
/// # Errors
/// Its coordinator does not tell.
pub fn committed(
    cluster: &mut Cluster,
    id: &str,
) -> Result<BTreeMap<NamedPartition, Offset>, ClientError> {
    let groups = [OffsetFetchRequestGroup { group_id: id, topics: None, ..Default::default() }];
    let request = OffsetFetchRequest {
        group_id: id,
        topics: None,
        groups: Array::new(&groups),
        require_stable: false,
    };
    ask(cluster, id, &request, |answer| {
        let response: OffsetFetchResponse<'_> = answer.decode()?;
        let group = response.groups.iter().next();
        let code = group.as_ref().map_or(response.error_code, |group| group.error_code);
        if code != 0 {
            return Err(ClientError::refused(format!("offsets of group {id}"), code, None));
        }
        let mut committed = BTreeMap::new();
        let mut note = |topic: &str, index: i32, offset: i64| {
            if offset >= 0 {
                committed.insert((topic.to_owned(), index), Offset::new(offset));
            }
        };
        for topic in group.iter().flat_map(|group| group.topics) {
            topic
                .partitions
                .iter()
                .for_each(|it| note(topic.name, it.partition_index, it.committed_offset));
        }
        for topic in response.topics {
            topic
                .partitions
                .iter()
                .for_each(|it| note(topic.name, it.partition_index, it.committed_offset));
        }
        Ok(committed)
    })
}

fn by_topic<T>(
    items: impl IntoIterator<Item = (NamedPartition, T)>,
) -> BTreeMap<String, Vec<(i32, T)>> {
    let mut topics: BTreeMap<String, Vec<(i32, T)>> = BTreeMap::new();
    for ((topic, index), item) in items {
        topics.entry(topic).or_default().push((index, item));
    }
    topics
}

/// Commits offsets for a group without members.
///
/// # Errors
/// The coordinator refuses one of them, as when the group has members.
pub fn commit(
    cluster: &mut Cluster,
    id: &str,
    offsets: &BTreeMap<NamedPartition, Offset>,
) -> Result<(), ClientError> {
    let offsets = offsets.iter().map(|(partition, offset)| (partition.clone(), *offset));
    let topics: Vec<(String, Vec<OffsetCommitRequestPartition<'_>>)> = by_topic(offsets)
        .into_iter()
        .map(|(topic, partitions)| {
            let partitions =
                partitions.into_iter().map(|(index, offset)| OffsetCommitRequestPartition {
                    partition_index: index,
                    committed_offset: offset.get(),
                    committed_leader_epoch: -1,
                    committed_metadata: Some(""),
                });
            (topic, partitions.collect())
        })
        .collect();
    let topics: Vec<OffsetCommitRequestTopic<'_>> = topics
        .iter()
        .map(|(name, partitions)| OffsetCommitRequestTopic {
            name,
            partitions: Array::new(partitions),
            ..Default::default()
        })
        .collect();
    let request = OffsetCommitRequest {
        group_id: id,
        generation_id_or_member_epoch: -1,
        retention_time_ms: -1,
        topics: Array::new(&topics),
        ..Default::default()
    };
    ask(cluster, id, &request, |answer| {
        let response: OffsetCommitResponse<'_> = answer.decode()?;
        let topics = response.topics.iter();
        let mut partitions =
            topics.flat_map(|topic| topic.partitions.iter().map(move |it| (topic.name, it)));
        if let Some((name, partition)) = partitions.find(|(_, it)| it.error_code != 0) {
            let what =
                format!("offset of group {id} for {name} partition {}", partition.partition_index);
            return Err(ClientError::refused(what, partition.error_code, None));
        }
        Ok(())
    })
}

/// Deletes a group without members, with its offsets.
///
/// # Errors
/// It does not exist, or has members.
pub fn delete(cluster: &mut Cluster, id: &str) -> Result<(), ClientError> {
    let ids = [id];
    let request = DeleteGroupsRequest { groups_names: Array::new(&ids) };
    ask(cluster, id, &request, |answer| {
        let response: DeleteGroupsResponse<'_> = answer.decode()?;
        let result = response.results.iter().next();
        let (code, message) = result.map_or((-1, None), |it| (it.error_code, it.error_message));
        match code {
            0 => Ok(()),
            _ => Err(ClientError::refused(format!("group {id} is not deleted"), code, message)),
        }
    })
}

/// Deletes a group's offsets of partitions that it does not consume any more.
///
/// # Errors
/// The group does not exist, or consumes one of them.
pub fn delete_offsets(
    cluster: &mut Cluster,
    id: &str,
    partitions: &[NamedPartition],
) -> Result<(), ClientError> {
    let partitions = partitions.iter().map(|partition| (partition.clone(), ()));
    let topics: Vec<(String, Vec<OffsetDeleteRequestPartition>)> = by_topic(partitions)
        .into_iter()
        .map(|(topic, partitions)| {
            let partitions = partitions.into_iter();
            let of = |(partition_index, ())| OffsetDeleteRequestPartition { partition_index };
            (topic, partitions.map(of).collect())
        })
        .collect();
    let topics: Vec<OffsetDeleteRequestTopic<'_>> = topics
        .iter()
        .map(|(name, partitions)| OffsetDeleteRequestTopic {
            name,
            partitions: Array::new(partitions),
        })
        .collect();
    let request = OffsetDeleteRequest { group_id: id, topics: Array::new(&topics) };
    ask(cluster, id, &request, |answer| {
        let response: OffsetDeleteResponse<'_> = answer.decode()?;
        let partitions = response.topics.iter().flat_map(|topic| topic.partitions);
        let codes = partitions.map(|partition| partition.error_code);
        match [response.error_code].into_iter().chain(codes).find(|code| *code != 0) {
            None => Ok(()),
            Some(code) => {
                let what = format!("offsets of group {id} are not deleted");
                Err(ClientError::refused(what, code, None))
            }
        }
    })
}
