use super::{Uuid, number};

number! {
    /// A broker's id, `node.id`: 0 or more; -1 where Kafka means "none".
    NodeId(i32)
}
number! {
    /// A shard of this process: 0 up to the number of cores in use, exclusive. In no disk format.
    ShardId(u16)
}
number! {
    /// A client's connection, unique within one shard for the life of the process.
    ConnectionId(u64)
}
number! {
    /// The index of a partition within its topic, from 0.
    PartitionIndex(i32)
}
number! {
    /// An idempotent producer's id (KIP-98); -1 means that the batch has no producer.
    ProducerId(i64)
}
number! {
    /// A producer's epoch, 0 to 32,767 (KIP-98); a higher one fences the lower.
    ProducerEpoch(i16)
}
number! {
    /// A partition's leader epoch (KIP-101); raised at each change of leader and each unclean start.
    LeaderEpoch(i32)
}
number! {
    /// The epoch under which the controller knows a started broker.
    BrokerEpoch(i64)
}

impl ProducerId {
    /// A batch written without idempotence.
    pub const NONE: Self = Self::new(-1);
}

impl LeaderEpoch {
    /// A client that does not know the epoch.
    pub const UNKNOWN: Self = Self::new(-1);
}

impl ShardId {
    /// The shard that runs the controller.
    pub const FIRST: Self = Self::new(0);

    /// The shard's place in per-shard arrays.
    pub fn index(self) -> usize {
        usize::from(self.get())
    }
}

/// One partition of one incarnation of a topic: names do not survive re-creation, ids do.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct TopicPartition {
    /// The topic's id, never zero for a topic that exists.
    pub topic: Uuid,
    /// The partition within the topic.
    pub partition: PartitionIndex,
}
