//! Streams groups.

use super::reasons::STREAMS;
use crate::config::definition::{
    Definition, INT_MAX,
    Kind::Int,
    Update::{ClusterWide, ReadOnly},
    from, row,
};

/// The settings.
#[rustfmt::skip]
pub(super) static ROWS: &[Definition] = &[
    row("group.streams.session.timeout.ms", Int, Some("45000"), from(1), ReadOnly, STREAMS,
        "How long a streams group waits for a silent member."),
    row("group.streams.min.session.timeout.ms", Int, Some("45000"), from(1), ReadOnly, STREAMS,
        "The shortest session timeout that a streams group may be given."),
    row("group.streams.max.session.timeout.ms", Int, Some("60000"), from(1), ReadOnly, STREAMS,
        "The longest session timeout that a streams group may be given."),
    row("group.streams.heartbeat.interval.ms", Int, Some("5000"), from(1), ReadOnly, STREAMS,
        "How often members of a streams group send heartbeats."),
    row("group.streams.min.heartbeat.interval.ms", Int, Some("5000"), from(1), ReadOnly, STREAMS,
        "The shortest heartbeat interval that a streams group may be given."),
    row("group.streams.max.heartbeat.interval.ms", Int, Some("15000"), from(1), ReadOnly, STREAMS,
        "The longest heartbeat interval that a streams group may be given."),
    row("group.streams.assignment.interval.ms", Int, Some("1000"), from(0), ClusterWide, STREAMS,
        "The shortest time between two assignments of a streams group."),
    row("group.streams.min.assignment.interval.ms", Int, Some("0"), from(0), ReadOnly, STREAMS,
        "The shortest assignment interval that a streams group may be given."),
    row("group.streams.max.assignment.interval.ms", Int, Some("15000"), from(0), ReadOnly, STREAMS,
        "The longest assignment interval that a streams group may be given."),
    row("group.streams.initial.rebalance.delay.ms", Int, Some("3000"), from(0), ReadOnly, STREAMS,
        "How long a new streams group waits for more members."),
    row("group.streams.num.standby.replicas", Int, Some("0"), from(0), ReadOnly, STREAMS,
        "Standby copies of each task."),
    row("group.streams.max.standby.replicas", Int, Some("2"), from(0), ReadOnly, STREAMS,
        "The most standby copies that a streams group may be given."),
    row("group.streams.max.size", Int, INT_MAX, from(1), ReadOnly, STREAMS,
        "Members that a streams group may have."),
];
