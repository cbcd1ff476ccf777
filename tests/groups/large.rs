//! More than fits one append, and what is asked for to be more.

use millstream::coordinator::group::{
    AppendFailure, CommitPartition, CommitRequest, CommitTopic, FetchGroup, FetchRequest,
    GroupError, JoinRequest, LeaveRequest, LeavingMember, ListRequest, Request, Response,
};
use millstream::types::{LeaderEpoch, Offset, PartitionIndex, Uuid};

use crate::life::{Life, settings};

const OFFSETS: i32 = 10_000;
/// The longest name that a topic may have.
const TOPIC_CHARACTERS: usize = 249;
/// What a batch may have by default.
const BATCH_BYTES: usize = 1 << 20;

fn commit(group: &str, topic: &str, partitions: impl Iterator<Item = i32>) -> Request {
    let partitions = partitions.map(|index| CommitPartition {
        partition: PartitionIndex::new(index),
        offset: Offset::new(1),
        leader_epoch: LeaderEpoch::UNKNOWN,
        metadata: None,
    });
    let id = Uuid::from_halves(0, 7);
    let topics = vec![CommitTopic { name: topic.to_owned(), id, partitions: partitions.collect() }];
    Request::Commit(CommitRequest {
        group: group.to_owned(),
        generation: -1,
        member_id: String::new(),
        instance_id: None,
        retention: None,
        topics,
    })
}

fn topic() -> String {
    "t".repeat(TOPIC_CHARACTERS)
}

/// A group with many offsets, all of them durable.
fn life() -> Life {
    let mut life = Life::new(settings(), 1);
    for index in 0..OFFSETS / 1000 {
        life.ask(commit("g", &topic(), index * 1000..(index + 1) * 1000));
        life.commit();
    }
    life.answers.clear();
    life
}

fn offsets(life: &mut Life) -> usize {
    let (group, member_id, member_epoch) = ("g".to_owned(), None, -1);
    let groups = vec![FetchGroup { group, member_id, member_epoch, topics: None }];
    life.ask(Request::Fetch(FetchRequest { groups, require_stable: false }));
    let Some((_, Response::Fetch(groups))) = life.answers.pop() else { panic!() };
    groups[0].topics.iter().flatten().map(|topic| topic.partitions.len()).sum()
}

/// Lets all that is under way be durable, none of it too large for a batch.
fn finish(life: &mut Life) {
    while let Some((_, records)) = life.appends.front() {
        let sizes = records.iter().map(|it| it.key.len() + it.value.as_ref().map_or(0, Vec::len));
        let bytes: usize = sizes.sum();
        assert!(bytes < BATCH_BYTES, "{} records of {bytes} bytes in one append", records.len());
        life.commit();
    }
}

#[test]
fn names_that_are_repeated_for_each_offset_make_no_giant_of_a_commit() {
    let mut life = Life::new(settings(), 1);
    life.ask(commit(&"g".repeat(30_000), "t", std::iter::repeat_n(0, 1000)));
    let Some((_, Response::Commit(topics))) = life.answers.pop() else { panic!("no answer") };
    let error = Err(GroupError::InvalidCommitOffsetSize);
    assert!(topics[0].partitions.iter().all(|(_, result)| *result == error));
    assert!(life.appends.is_empty());
    life.ask(Request::List(ListRequest::default()));
    assert!(
        matches!(life.answers.pop(), Some((_, Response::List(Ok(groups)))) if groups.is_empty())
    );
}

#[test]
fn many_offsets_expire_although_no_batch_holds_them() {
    let mut life = life();
    life.wait(8 * 86_400_000, finish);
    assert_eq!(offsets(&mut life), 0);
}

#[test]
fn long_names_do_not_keep_others_from_expiring() {
    let mut life = Life::new(settings(), 1);
    for number in 0..100 {
        let group = format!("{number}{}", "g".repeat(30_000));
        life.ask(commit(&group, "t", 0..1));
        life.commit();
    }
    life.answers.clear();
    life.wait(8 * 86_400_000, finish);
    life.ask(Request::List(ListRequest::default()));
    assert!(
        matches!(life.answers.pop(), Some((_, Response::List(Ok(groups)))) if groups.is_empty())
    );
}

#[test]
fn many_offsets_of_a_topic_are_forgotten_with_it() {
    let mut life = life();
    life.topics_deleted(&["u"]);
    assert!(life.appends.is_empty());
    life.topics_deleted(&[&topic()]);
    finish(&mut life);
    assert_eq!(offsets(&mut life), 0);
}

#[test]
fn a_group_with_many_offsets_is_deleted() {
    let mut life = life();
    life.ask(Request::Delete { groups: vec!["g".to_owned()] });
    finish(&mut life);
    let Some((_, Response::Delete(results))) = life.answers.pop() else { panic!("no answer") };
    assert_eq!(results, [("g".to_owned(), Ok(()))]);
    assert_eq!(offsets(&mut life), 0);
}

#[test]
fn a_group_is_not_said_to_be_deleted_while_it_has_offsets() {
    let mut life = life();
    life.ask(Request::Delete { groups: vec!["g".to_owned()] });
    life.fail(0, AppendFailure::Unavailable);
    finish(&mut life);
    let Some((_, Response::Delete(results))) = life.answers.pop() else { panic!("no answer") };
    assert_eq!(results, [("g".to_owned(), Err(GroupError::CoordinatorNotAvailable))]);
    assert!(offsets(&mut life) > 0);
}

/// A broker may end after a topic is deleted and before its offsets are.
#[test]
fn offsets_of_topics_that_are_gone_are_forgotten_after_a_start() {
    let same = Uuid::from_halves(0, 7);
    let other = "u".to_owned();
    for (known, id, left) in [(topic(), same, OFFSETS), (other, same, 0), (topic(), Uuid::ZERO, 0)]
    {
        let mut life = life();
        life.restart();
        life.forget_missing_topics(|name, committed_id| name == known && committed_id == id);
        finish(&mut life);
        assert_eq!(offsets(&mut life), left as usize, "of {known} {id}");
        life.restart();
        assert_eq!(offsets(&mut life), left as usize);
    }
}

#[test]
fn nothing_is_left_of_a_group_that_a_member_only_asked_to_join() {
    let mut life = Life::new(settings(), 1);
    life.ask(Request::Join(JoinRequest {
        group: "g".to_owned(),
        member_id: String::new(),
        instance_id: None,
        client_id: "a".to_owned(),
        client_host: "/127.0.0.1".to_owned(),
        session_timeout: std::time::Duration::from_secs(10),
        rebalance_timeout: std::time::Duration::from_secs(10),
        protocol_type: "consumer".to_owned(),
        protocols: vec![("range".to_owned(), [].into())],
        reason: None,
        takes_member_id: true,
        can_skip_assignment: false,
    }));
    let Some((_, Response::Join(Err(refused)))) = life.answers.pop() else { panic!() };
    let member = LeavingMember { member_id: refused.member_id, instance_id: None, reason: None };
    life.ask(Request::Leave(LeaveRequest { group: "g".to_owned(), members: vec![member] }));
    life.wait(700_000, |_| ());
    assert!(life.appends.is_empty(), "a tombstone of nothing: {:?}", life.appends);
}
