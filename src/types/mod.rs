//! Newtypes for everything the broker counts or names. Mixing up two of them is a type error.

mod ids;
mod offsets;
mod time;
mod uuid;

pub use ids::{
    BrokerEpoch, ConnectionId, LeaderEpoch, NodeId, PartitionIndex, ProducerEpoch, ProducerId,
    ShardId, TopicPartition,
};
pub use offsets::{Lsn, Offset, PartitionSequence, Position};
pub use time::{Instant, Now, Timestamp};
pub use uuid::{ParseUuidError, Uuid};

/// A hash map whose iteration order is the same in every run of one build.
pub type Map<K, V> = hashbrown::HashMap<K, V, foldhash::fast::FixedState>;

/// A hash set whose iteration order is the same in every run of one build.
pub type Set<K> = hashbrown::HashSet<K, foldhash::fast::FixedState>;

/// Declares a `Copy` newtype over an integer with a constructor, an accessor and `Display`.
macro_rules! number {
    ($(#[$doc:meta])* $name:ident($inner:ty)) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
        pub struct $name($inner);

        impl $name {
            /// Wraps the bare number.
            pub const fn new(value: $inner) -> Self {
                Self(value)
            }

            /// The bare number, for wire and disk.
            pub const fn get(self) -> $inner {
                self.0
            }
        }

        impl core::fmt::Debug for $name {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                write!(f, "{}({})", stringify!($name), self.0)
            }
        }

        impl core::fmt::Display for $name {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                write!(f, "{}", self.0)
            }
        }
    };
}
use number;
