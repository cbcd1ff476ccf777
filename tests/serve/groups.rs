//! Groups in every version of their APIs, on every core, and after a kill.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use millstream::protocol::messages::find_coordinator::{
    FindCoordinatorRequest, FindCoordinatorResponse,
};
use millstream::protocol::messages::heartbeat::{HeartbeatRequest, HeartbeatResponse};
use millstream::protocol::messages::join_group::{
    JoinGroupRequest, JoinGroupRequestProtocol, JoinGroupResponse,
};
use millstream::protocol::messages::leave_group::{
    LeaveGroupRequest, LeaveGroupResponse, MemberIdentity,
};
use millstream::protocol::messages::offset_commit::{
    OffsetCommitRequest, OffsetCommitRequestPartition, OffsetCommitRequestTopic,
    OffsetCommitResponse,
};
use millstream::protocol::messages::offset_fetch::{
    OffsetFetchRequest, OffsetFetchRequestGroup, OffsetFetchRequestTopic, OffsetFetchRequestTopics,
    OffsetFetchResponse,
};
use millstream::protocol::messages::sync_group::{
    SyncGroupRequest, SyncGroupRequestAssignment, SyncGroupResponse,
};
use millstream::protocol::{Array, ErrorCode};
use millstream::types::Uuid;

use crate::process::{Folder, started};
use crate::wire::{ask, create_topic, decode, metadata};

const AT_ONCE: [&str; 4] = ["--cores", "2", "--set", "group.initial.rebalance.delay.ms=0"];
const TOPIC: &str = "t";
const PATIENCE: Duration = Duration::from_secs(60);

/// Asks again while the coordinator reads what it had.
fn loaded<T>(mut ask: impl FnMut() -> (i16, T)) -> (i16, T) {
    let until = Instant::now() + PATIENCE;
    loop {
        let answer = ask();
        if answer.0 != ErrorCode::CoordinatorLoadInProgress.code() {
            return answer;
        }
        assert!(Instant::now() < until, "the groups are never loaded");
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn find_coordinator(address: SocketAddr, group: &str) {
    let request = FindCoordinatorRequest { key: group, ..Default::default() };
    let frame = ask(address, 2, &request);
    let response: FindCoordinatorResponse<'_> = decode(&frame, 2);
    assert_eq!(response.error_code, 0, "{:?}", response.error_message);
    assert_eq!(response.port, i32::from(address.port()));
}

/// Joins; answers the code, the generation and the member id.
fn join(address: SocketAddr, version: i16, group: &str, member_id: &str) -> (i16, (i32, String)) {
    let protocols = [JoinGroupRequestProtocol { name: "range", metadata: b"wanted" }];
    let request = JoinGroupRequest {
        group_id: group,
        session_timeout_ms: 10_000,
        rebalance_timeout_ms: 10_000,
        member_id,
        protocol_type: "other",
        protocols: Array::new(&protocols),
        ..Default::default()
    };
    let frame = ask(address, version, &request);
    let response: JoinGroupResponse<'_> = decode(&frame, version);
    if response.error_code == 0 {
        assert_eq!(response.protocol_name, Some("range"));
        assert_eq!(response.leader, response.member_id);
        let members: Vec<_> = response.members.iter().collect();
        assert_eq!(members.len(), 1);
        assert_eq!(members[0].metadata, b"wanted");
    }
    (response.error_code, (response.generation_id, response.member_id.to_owned()))
}

fn sync(address: SocketAddr, version: i16, group: &str, (generation, member_id): (i32, &str)) {
    let assignments = [SyncGroupRequestAssignment { member_id, assignment: b"all of it" }];
    let request = SyncGroupRequest {
        group_id: group,
        generation_id: generation,
        member_id,
        protocol_type: Some("other"),
        protocol_name: Some("range"),
        assignments: Array::new(&assignments),
        ..Default::default()
    };
    let frame = ask(address, version, &request);
    let response: SyncGroupResponse<'_> = decode(&frame, version);
    assert_eq!((response.error_code, response.assignment), (0, &b"all of it"[..]));
}

fn heartbeat(address: SocketAddr, version: i16, group: &str, member: (i32, &str)) -> i16 {
    let (generation_id, member_id) = member;
    let request =
        HeartbeatRequest { group_id: group, generation_id, member_id, ..Default::default() };
    let frame = ask(address, version, &request);
    let response: HeartbeatResponse = decode(&frame, version);
    response.error_code
}

/// Leaves; answers the codes of the response and of the member.
fn leave(address: SocketAddr, version: i16, group: &str, member_id: &str) -> (i16, Option<i16>) {
    let members = [MemberIdentity { member_id, ..Default::default() }];
    let request = LeaveGroupRequest { group_id: group, member_id, members: Array::new(&members) };
    let frame = ask(address, version, &request);
    let response: LeaveGroupResponse<'_> = decode(&frame, version);
    (response.error_code, response.members.iter().next().map(|member| member.error_code))
}

fn commit(
    address: SocketAddr,
    version: i16,
    group: &str,
    (generation, member_id): (i32, &str),
    (topic_id, index, offset): (Uuid, i32, i64),
) -> i16 {
    let partitions = [OffsetCommitRequestPartition {
        partition_index: index,
        committed_offset: offset,
        committed_metadata: Some("note"),
        ..Default::default()
    }];
    let topics =
        [OffsetCommitRequestTopic { name: TOPIC, topic_id, partitions: Array::new(&partitions) }];
    let request = OffsetCommitRequest {
        group_id: group,
        generation_id_or_member_epoch: generation,
        member_id,
        topics: Array::new(&topics),
        ..Default::default()
    };
    let frame = ask(address, version, &request);
    let response: OffsetCommitResponse<'_> = decode(&frame, version);
    let topic = response.topics.iter().next().unwrap();
    if version >= 10 {
        assert_eq!(topic.topic_id, topic_id);
    }
    topic.partitions.iter().next().unwrap().error_code
}

/// Fetches the first partition; answers a code of the group, and that and the offset of the
/// partition, if there is one.
fn fetch(
    address: SocketAddr,
    version: i16,
    group: &str,
    topic_id: Uuid,
) -> (i16, Option<(i16, i64)>) {
    let indexes = [0];
    let partition_indexes = Array::new(&indexes);
    let one = [OffsetFetchRequestTopic { name: TOPIC, partition_indexes }];
    let topics = [OffsetFetchRequestTopics { name: TOPIC, topic_id, partition_indexes }];
    let groups = [OffsetFetchRequestGroup {
        group_id: group,
        topics: Some(Array::new(&topics)),
        ..Default::default()
    }];
    let request = OffsetFetchRequest {
        group_id: group,
        topics: Some(Array::new(&one)),
        groups: Array::new(&groups),
        ..Default::default()
    };
    let frame = ask(address, version, &request);
    let response: OffsetFetchResponse<'_> = decode(&frame, version);
    if version < 8 {
        let topic = response.topics.iter().next();
        let partition = topic.and_then(|topic| topic.partitions.iter().next());
        let partition = partition.map(|it| (it.error_code, it.committed_offset));
        let code = if version < 2 { partition.map_or(0, |it| it.0) } else { response.error_code };
        return (code, partition);
    }
    let group = response.groups.iter().next().unwrap();
    let topic = group.topics.iter().next();
    let partition = topic.and_then(|topic| topic.partitions.iter().next());
    (group.error_code, partition.map(|it| (it.error_code, it.committed_offset)))
}

/// A member's whole life in one version, or the nearest that the API has.
fn live(address: SocketAddr, version: i16, topic_id: Uuid) {
    let group = format!("group{version}");
    let (sync_version, beat_version, leave_version) =
        (version.min(5), version.min(4), version.min(5));
    let (commit_version, fetch_version) = (version.max(2), version.max(1));
    let join_version = version.min(9);
    let first = loaded(|| join(address, join_version, &group, ""));
    let (code, (generation, id)) = match first {
        (code, (generation, id)) if code == ErrorCode::MemberIdRequired.code() => {
            assert!(join_version >= 4 && generation == -1);
            join(address, join_version, &group, &id)
        }
        joined => {
            assert!(join_version < 4);
            joined
        }
    };
    assert_eq!((code, generation), (0, 1), "{group}");
    let member = (generation, &*id);
    sync(address, sync_version, &group, member);
    assert_eq!(heartbeat(address, beat_version, &group, member), 0);
    let offset = 100 + i64::from(version);
    assert_eq!(commit(address, commit_version, &group, member, (topic_id, 0, offset)), 0);
    assert_eq!(fetch(address, fetch_version, &group, topic_id), (0, Some((0, offset))), "{group}");
    let unknown = ErrorCode::UnknownMemberId.code();
    let (absent, left) = match leave_version {
        ..3 => ((unknown, None), (0, None)),
        _ => ((0, Some(unknown)), (0, Some(0))),
    };
    assert_eq!(leave(address, leave_version, &group, "nobody"), absent);
    assert_eq!(leave(address, leave_version, &group, &id), left);
    assert_eq!(heartbeat(address, beat_version, &group, member), unknown);
}

#[test]
fn members_live_in_every_version_and_what_they_commit_outlives_a_kill() {
    let folder = Folder::new("groups");
    let broker = started(&folder, &AT_ONCE);
    let address = broker.address();
    create_topic(address, TOPIC, 1, &[]).unwrap();
    // Nobody coordinates before the first one looks for a coordinator.
    let nobody = ErrorCode::NotCoordinator.code();
    assert_eq!(fetch(address, 1, "group1", Uuid::ZERO), (nobody, Some((nobody, -1))));
    assert_eq!(fetch(address, 2, "group1", Uuid::ZERO), (nobody, None));
    find_coordinator(address, "group1");
    let topic_id = metadata(address).topics[TOPIC].0;
    (0..=10).for_each(|version| live(address, version, topic_id));
    assert_eq!(broker.stop(Signal::KILL).code, None);

    let broker = started(&folder, &AT_ONCE);
    let address = broker.address();
    for version in 0..=10 {
        let group = format!("group{version}");
        let fetched = loaded(|| fetch(address, 1.max(version), &group, topic_id));
        assert_eq!(fetched, (0, Some((0, 100 + i64::from(version)))), "{group}");
    }
    broker.stop_cleanly();
}

#[test]
fn what_a_version_does_not_know_is_said_in_its_words() {
    let folder = Folder::new("group-errors");
    let broker = started(&folder, &AT_ONCE);
    let address = broker.address();
    create_topic(address, TOPIC, 1, &[]).unwrap();
    find_coordinator(address, "g");
    let topic_id = metadata(address).topics[TOPIC].0;
    let partition = (topic_id, 0, 1);
    // A group that does not exist.
    for (version, code) in [(2, ErrorCode::IllegalGeneration), (8, ErrorCode::IllegalGeneration)]
        .into_iter()
        .chain([(9, ErrorCode::GroupIdNotFound), (10, ErrorCode::GroupIdNotFound)])
    {
        let answer = || (commit(address, version, "g", (5, "x"), partition), ());
        assert_eq!(loaded(answer).0, code.code(), "version {version}");
    }
    // A topic that does not exist.
    let other = Uuid::from_halves(1, 1);
    let unknown = ErrorCode::UnknownTopicId.code();
    assert_eq!(commit(address, 10, "g", (-1, ""), (other, 0, 1)), unknown);
    assert_eq!(fetch(address, 10, "g", other), (0, Some((unknown, -1))));
    let absent = ErrorCode::UnknownTopicOrPartition.code();
    assert_eq!(commit(address, 9, "g", (-1, ""), (Uuid::ZERO, 7, 1)), absent);
    assert_eq!(commit(address, 10, "g", (-1, ""), (topic_id, 7, 1)), absent);
    // By name and by id it is the same offset.
    assert_eq!(commit(address, 9, "g", (-1, ""), (Uuid::ZERO, 0, 9)), 0);
    assert_eq!(fetch(address, 10, "g", topic_id), (0, Some((0, 9))));
    assert_eq!(commit(address, 10, "g", (-1, ""), (topic_id, 0, 10)), 0);
    assert_eq!(fetch(address, 9, "g", Uuid::ZERO), (0, Some((0, 10))));
    broker.stop_cleanly();
}
