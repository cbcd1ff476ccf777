//! Requests that wait for others: for partitions of other shards, for a commit, for more data, for
//! the controller.

use std::collections::BTreeSet;

use slab::Slab;

use super::alter_client_quotas::AlterClientQuotas;
use super::alter_configs::AlterConfigs;
use super::create_partitions::CreatePartitions;
use super::create_topics::CreateTopics;
use super::delete_records::DeleteRecords;
use super::delete_topics::DeleteTopics;
use super::describe_log_dirs::DescribeLogDirs;
use super::describe_producers::DescribeProducers;
use super::fetch::Fetch;
use super::find_coordinator::FindCoordinator;
use super::group_call::GroupCall;
use super::init_producer_id::InitProducerId;
use super::list_offsets::ListOffsets;
use super::metadata::Metadata;
use super::offset_for_leader_epoch::OffsetForLeaderEpoch;
use super::produce::Produce;
use super::update_features::UpdateFeatures;
use crate::connection::Turn;
use crate::protocol::ApiKey;
use crate::types::{ConnectionId, Instant};

/// What an operation is about. One variant per API that waits.
#[derive(Debug)]
pub enum Kind {
    /// Produce.
    Produce(Produce),
    /// Fetch.
    Fetch(Box<Fetch>),
    /// ListOffsets.
    ListOffsets(Box<ListOffsets>),
    /// OffsetForLeaderEpoch.
    OffsetForLeaderEpoch(Box<OffsetForLeaderEpoch>),
    /// DeleteRecords.
    DeleteRecords(Box<DeleteRecords>),
    /// Metadata that creates topics.
    Metadata(Box<Metadata>),
    /// CreateTopics.
    CreateTopics(Box<CreateTopics>),
    /// DeleteTopics.
    DeleteTopics(Box<DeleteTopics>),
    /// CreatePartitions.
    CreatePartitions(Box<CreatePartitions>),
    /// AlterConfigs and IncrementalAlterConfigs.
    AlterConfigs(Box<AlterConfigs>),
    /// AlterClientQuotas.
    AlterClientQuotas(Box<AlterClientQuotas>),
    /// UpdateFeatures.
    UpdateFeatures(Box<UpdateFeatures>),
    /// DescribeLogDirs.
    DescribeLogDirs(Box<DescribeLogDirs>),
    /// DescribeProducers.
    DescribeProducers(Box<DescribeProducers>),
    /// InitProducerId.
    InitProducerId(InitProducerId),
    /// FindCoordinator that creates the topic of the groups.
    FindCoordinator(Box<FindCoordinator>),
    /// Any request to groups.
    Group(Box<GroupCall>),
}

impl Kind {
    /// About the memory that the operation takes: that of its parts, of which a small request can
    /// have many. None for what waits for the controller, which has a copy of all that was asked.
    pub fn memory_bytes(&self) -> Option<usize> {
        Some(match self {
            Self::Produce(produce) => produce.memory_bytes(),
            Self::Fetch(fetch) => fetch.memory_bytes(),
            Self::ListOffsets(list) => list.memory_bytes(),
            Self::OffsetForLeaderEpoch(epochs) => epochs.memory_bytes(),
            Self::Group(call) => call.memory_bytes(),
            Self::DeleteRecords(delete) => delete.memory_bytes(),
            Self::DescribeLogDirs(directories) => directories.memory_bytes(),
            Self::DescribeProducers(producers) => producers.memory_bytes(),
            Self::Metadata(_) | Self::CreateTopics(_) | Self::DeleteTopics(_) => return None,
            Self::CreatePartitions(_) | Self::AlterConfigs(_) => return None,
            Self::AlterClientQuotas(_) | Self::UpdateFeatures(_) => return None,
            Self::InitProducerId(_) | Self::FindCoordinator(_) => return None,
        })
    }
}

/// A request under way.
#[derive(Debug)]
pub struct Operation {
    /// Where it came from.
    pub connection: ConnectionId,
    /// What was asked.
    pub api: ApiKey,
    /// When.
    pub begun: Instant,
    /// Its place among the connection's requests.
    pub turn: Turn,
    /// Given back with the response.
    pub correlation_id: i32,
    /// The version of request and response.
    pub version: i16,
    /// About the memory that it takes.
    pub memory_bytes: usize,
    /// When it must be answered at the latest.
    pub deadline: Option<Instant>,
    /// What it is about.
    pub kind: Kind,
}

/// Names an operation for good: an answer that comes late finds nothing.
pub type OperationId = u64;

/// The operations of a shard.
#[derive(Debug, Default)]
pub struct Operations {
    slots: Slab<(u32, Operation)>,
    /// Counts what was ever inserted, so that a slot's next operation has another id.
    generation: u32,
    deadlines: BTreeSet<(Instant, OperationId)>,
}

impl Operations {
    /// The id that [`Operations::insert`] will give next.
    pub fn next_id(&self) -> OperationId {
        let slot = self.slots.vacant_key() as u64;
        u64::from(self.generation) << 32 | slot
    }

    /// Adds an operation under [`Operations::next_id`].
    pub fn insert(&mut self, operation: Operation) -> OperationId {
        let id = self.next_id();
        if let Some(deadline) = operation.deadline {
            self.deadlines.insert((deadline, id));
        }
        self.slots.insert((self.generation, operation));
        self.generation = self.generation.wrapping_add(1);
        id
    }

    fn slot(&self, id: OperationId) -> Option<usize> {
        let slot = (id & u64::from(u32::MAX)) as usize;
        let (generation, _) = self.slots.get(slot)?;
        (u64::from(*generation) == id >> 32).then_some(slot)
    }

    /// Takes an operation out.
    pub fn remove(&mut self, id: OperationId) -> Option<Operation> {
        let slot = self.slot(id)?;
        let (_, operation) = self.slots.remove(slot);
        if let Some(deadline) = operation.deadline {
            self.deadlines.remove(&(deadline, id));
        }
        Some(operation)
    }

    /// An operation, to be changed in place.
    pub fn get_mut(&mut self, id: OperationId) -> Option<&mut Operation> {
        let slot = self.slot(id)?;
        Some(&mut self.slots[slot].1)
    }

    /// Sets or moves an operation's deadline.
    pub fn set_deadline(&mut self, id: OperationId, deadline: Option<Instant>) {
        let Some(slot) = self.slot(id) else { return };
        let operation = &mut self.slots[slot].1;
        if let Some(before) = operation.deadline.take() {
            self.deadlines.remove(&(before, id));
        }
        operation.deadline = deadline;
        self.deadlines.extend(deadline.map(|deadline| (deadline, id)));
    }

    /// The next deadline.
    pub fn deadline(&self) -> Option<Instant> {
        self.deadlines.first().map(|(deadline, _)| *deadline)
    }

    /// An operation whose time has come.
    pub fn due(&mut self, now: Instant) -> Option<OperationId> {
        let (deadline, id) = self.deadlines.first().copied()?;
        if deadline > now {
            return None;
        }
        self.deadlines.pop_first();
        let slot = self.slot(id).expect("deadlines go with their operations");
        self.slots[slot].1.deadline = None;
        Some(id)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.slots.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }
}
