//! What the partition of `__consumer_offsets` holds, as bytes and as values. The formats are
//! Kafka's (`schema/kafka/group_records.txt`): a key starts with the record's type, a value with
//! its version.

use core::time::Duration;
use std::collections::BTreeSet;
use std::sync::Arc;

use super::GroupRecord;
use super::classic::Group;
use super::members::{Member, Members};
use super::offsets::Committed;
use crate::protocol::messages::consumer_protocol::ConsumerProtocolSubscription;
use crate::protocol::messages::group_records::{
    GroupMetadataKey, GroupMetadataValue, LegacyOffsetCommitKey, MemberMetadata, OffsetCommitKey,
    OffsetCommitValue,
};
use crate::protocol::{DecodeError, Message, Writer};
use crate::types::{LeaderEpoch, Offset, PartitionIndex, Timestamp};

/// The version of group values that Kafka 4 writes; the newer one adds nothing but tags.
const GROUP_VERSION: i16 = 3;

/// What a record says.
#[derive(Debug)]
pub(super) enum Replayed {
    /// An offset was committed or forgotten.
    Offset { group: Arc<str>, topic: String, partition: PartitionIndex, value: Option<Committed> },
    /// A group is like this, or gone.
    Group { group: Arc<str>, value: Option<RecordedGroup> },
    /// Something that the classic protocol does not write.
    Other,
}

/// A group as its record has it.
#[derive(Debug)]
pub(super) struct RecordedGroup {
    pub(super) protocol_type: Option<String>,
    pub(super) generation: i32,
    pub(super) protocol: Option<String>,
    pub(super) leader: Option<Arc<str>>,
    pub(super) state_timestamp: Option<Timestamp>,
    pub(super) members: Members,
}

/// Reads a record.
pub(super) fn decode(key: &[u8], value: Option<&[u8]>) -> Result<Replayed, DecodeError> {
    let (kind, key) = prefix(key)?;
    let value = value.map(prefix).transpose()?;
    match kind {
        LegacyOffsetCommitKey::TYPE | OffsetCommitKey::TYPE => {
            let key = OffsetCommitKey::decode(key, 0)?;
            Ok(Replayed::Offset {
                group: key.group.into(),
                topic: key.topic.to_owned(),
                partition: PartitionIndex::new(key.partition),
                value: value.map(|(version, value)| committed(version, value)).transpose()?,
            })
        }
        GroupMetadataKey::TYPE => {
            let group = GroupMetadataKey::decode(key, 0)?.group.into();
            let value = value.map(|(version, value)| recorded_group(version, value)).transpose()?;
            Ok(Replayed::Group { group, value })
        }
        _ => Ok(Replayed::Other),
    }
}

fn prefix(bytes: &[u8]) -> Result<(i16, &[u8]), DecodeError> {
    let (number, rest) = bytes.split_first_chunk().ok_or(DecodeError::Truncated)?;
    Ok((i16::from_be_bytes(*number), rest))
}

fn committed(version: i16, bytes: &[u8]) -> Result<Committed, DecodeError> {
    let value = OffsetCommitValue::decode(bytes, version)?;
    Ok(Committed {
        offset: Offset::new(value.offset),
        leader_epoch: LeaderEpoch::new(value.leader_epoch),
        metadata: value.metadata.to_owned(),
        commit_timestamp: Timestamp::new(value.commit_timestamp),
        expire_timestamp: timestamp(value.expire_timestamp),
        topic_id: value.topic_id,
    })
}

fn timestamp(millis: i64) -> Option<Timestamp> {
    Some(Timestamp::new(millis)).filter(|timestamp| *timestamp != Timestamp::NONE)
}

fn recorded_group(version: i16, bytes: &[u8]) -> Result<RecordedGroup, DecodeError> {
    let value = GroupMetadataValue::decode(bytes, version)?;
    let mut members = Members::default();
    for recorded in value.members {
        // A broken record may name a member twice: the last one counts.
        members.remove(recorded.member_id);
        members.add(recorded_member(&recorded, value.protocol.unwrap_or_default()));
    }
    Ok(RecordedGroup {
        protocol_type: Some(value.protocol_type.to_owned()).filter(|name| !name.is_empty()),
        generation: value.generation,
        protocol: value.protocol.map(str::to_owned),
        leader: value.leader.filter(|id| members.get(id).is_some()).map(Arc::from),
        state_timestamp: timestamp(value.current_state_timestamp),
        members,
    })
}

fn recorded_member(recorded: &MemberMetadata<'_>, protocol: &str) -> Member {
    let session_timeout = millis(recorded.session_timeout);
    // Records of version 0 know the session alone.
    let rebalance_timeout = match recorded.rebalance_timeout {
        -1 => session_timeout,
        timeout => millis(timeout),
    };
    let mut member = Member::recorded(protocol, recorded.subscription);
    member.id = recorded.member_id.into();
    member.instance_id = recorded.group_instance_id.map(str::to_owned);
    recorded.client_id.clone_into(&mut member.client_id);
    recorded.client_host.clone_into(&mut member.client_host);
    member.session_timeout = session_timeout;
    member.rebalance_timeout = rebalance_timeout;
    member.assignment = recorded.assignment.into();
    member
}

fn millis(number: i32) -> Duration {
    Duration::from_millis(u64::try_from(number).unwrap_or_default())
}

/// The record of a committed offset, or the tombstone.
pub(super) fn offset_record(
    group: &str,
    topic: &str,
    partition: PartitionIndex,
    value: Option<&Committed>,
) -> GroupRecord {
    let key = OffsetCommitKey { group, topic, partition: partition.get() };
    GroupRecord {
        key: encode(OffsetCommitKey::TYPE, &key, 0),
        value: value.map(|committed| {
            let value = OffsetCommitValue {
                offset: committed.offset.get(),
                leader_epoch: committed.leader_epoch.get(),
                metadata: &committed.metadata,
                commit_timestamp: committed.commit_timestamp.get(),
                expire_timestamp: committed.expire_timestamp.unwrap_or(Timestamp::NONE).get(),
                topic_id: committed.topic_id,
            };
            // Only version 1 says when to forget, and only version 4 has the topic's id.
            let version = match (committed.expire_timestamp, committed.topic_id.halves()) {
                (Some(_), _) => 1,
                (None, (0, 0)) => 3,
                (None, _) => 4,
            };
            encode(version, &value, version)
        }),
    }
}

/// The record of a group with the members given, each with its assignment.
pub(super) fn group_record(
    group: &Group,
    leader: Option<&str>,
    members: &[(&Member, Arc<[u8]>)],
) -> GroupRecord {
    let protocol = group.protocol.as_deref();
    let metadata: Vec<_> = members.iter().map(|(member, _)| member.metadata(protocol)).collect();
    let members: Vec<MemberMetadata<'_>> = members
        .iter()
        .zip(&metadata)
        .map(|((member, assignment), subscription)| MemberMetadata {
            member_id: &member.id,
            group_instance_id: member.instance_id.as_deref(),
            client_id: &member.client_id,
            client_host: &member.client_host,
            rebalance_timeout: as_millis(member.rebalance_timeout),
            session_timeout: as_millis(member.session_timeout),
            subscription,
            assignment,
        })
        .collect();
    let value = GroupMetadataValue {
        protocol_type: group.protocol_type.as_deref().unwrap_or_default(),
        generation: group.generation,
        protocol,
        leader,
        current_state_timestamp: group.state_timestamp.unwrap_or(Timestamp::NONE).get(),
        members: (&members).into(),
    };
    let value = Some(encode(GROUP_VERSION, &value, GROUP_VERSION));
    GroupRecord { value, ..group_tombstone(&group.id) }
}

fn as_millis(timeout: Duration) -> i32 {
    i32::try_from(timeout.as_millis()).unwrap_or(i32::MAX)
}

/// The record that forgets a group.
pub(super) fn group_tombstone(group: &str) -> GroupRecord {
    let key = encode(GroupMetadataKey::TYPE, &GroupMetadataKey { group }, 0);
    GroupRecord { key, value: None }
}

fn encode<'a>(prefix: i16, message: &impl Message<'a>, version: i16) -> Vec<u8> {
    let mut writer = Writer::new();
    message.encode(version, &mut writer).expect("what came by the wire fits the same prefixes");
    let mut bytes = prefix.to_be_bytes().to_vec();
    bytes.extend_from_slice(writer.bytes());
    bytes
}

/// The topics in a consumer's metadata. All versions begin as version 0 does.
///
/// # Errors
/// When the bytes are no consumer's.
pub(super) fn add_subscribed_topics(
    metadata: &[u8],
    topics: &mut BTreeSet<String>,
) -> Result<(), DecodeError> {
    let (_, subscription) = prefix(metadata)?;
    let subscription = ConsumerProtocolSubscription::decode(subscription, 0)?;
    topics.extend(subscription.topics.iter().map(str::to_owned));
    Ok(())
}
