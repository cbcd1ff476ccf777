//! What the cluster consists of: an immutable image, and the records that lead from one image to the
//! next. Every node that applies the same records has the same image.

mod image;
mod quota;
mod record;
mod topic_name;

pub use self::image::{ApplyError, Image, Topic};
pub use self::quota::{QuotaEntity, QuotaValue, Quotas};
pub use self::record::{Broker, LogIndex, MetadataEntry, MetadataRecord, PartitionState};
pub use self::topic_name::{InvalidTopicName, name_in_metrics, validate_topic_name};

/// Kafka's numbers for kinds of resources (`ConfigResource.Type`).
pub mod resource_type {
    /// A topic.
    pub const TOPIC: i8 = 2;
    /// A broker; the empty name stands for the default of all.
    pub const BROKER: i8 = 4;
    /// A broker's loggers.
    pub const BROKER_LOGGER: i8 = 8;
    /// A subscription to client metrics.
    pub const CLIENT_METRICS: i8 = 16;
    /// A group.
    pub const GROUP: i8 = 32;
}
