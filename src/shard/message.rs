//! What shards of one broker tell each other. Nothing else crosses cores.

use std::sync::Arc;

use crate::controller;
use crate::coordinator::group;
use crate::handlers::{Answer, Ask};
use crate::io::FileName;
use crate::metadata::Image;
use crate::quota::Usage;
use crate::store::{Reply, Sources};
use crate::types::{Lsn, TopicPartition, Uuid};
use crate::wal::Replayed;

/// A message.
#[derive(Debug)]
pub enum Message {
    /// A question about a partition of the receiver.
    Ask {
        /// The partition.
        id: TopicPartition,
        /// The question.
        ask: Ask,
        /// Who wants the answer.
        reply: Reply,
    },
    /// A question about groups of a partition of the receiver.
    AskGroups {
        /// The partition of `__consumer_offsets`.
        id: TopicPartition,
        /// The question.
        request: Box<group::Request>,
        /// Who wants the answer.
        reply: Reply,
    },
    /// The answer to a question of the receiver.
    Answer {
        /// Who asked.
        reply: Reply,
        /// The answer.
        answer: Answer,
    },
    /// A partition that a fetch of the receiver watches has more to show.
    Readable {
        /// The fetch.
        fetch: u64,
    },
    /// For the controller, which is with the first shard.
    Command {
        /// Who wants the answer.
        reply: Reply,
        /// The command.
        command: controller::Command,
    },
    /// The controller's answer, once every shard knows what was decided.
    Commanded {
        /// Who asked.
        reply: Reply,
        /// The answer.
        answer: controller::Answer,
    },
    /// A new image.
    Image {
        /// The image.
        image: Arc<Image>,
        /// The topics that are new, changed or gone.
        changed: Arc<[Uuid]>,
    },
    /// The sender lives by this image.
    ImageApplied {
        /// Its last entry.
        index: u64,
    },
    /// Read these write-ahead logs of earlier lives.
    Replay {
        /// Their ids and directories.
        directories: Vec<(u64, FileName)>,
    },
    /// What they held.
    Replayed {
        /// Each by its id.
        logs: Vec<(u64, Replayed)>,
    },
    /// Bring back the partitions that the receiver owns.
    Recover {
        /// The image that the partitions belong to.
        image: Arc<Image>,
        /// What earlier lives left of them.
        sources: Box<Sources>,
        /// How far each earlier write-ahead log was believed.
        fences: Arc<[(u64, Lsn)]>,
        /// The id of the log directory.
        log_directory_id: Uuid,
        /// The names of the directories in it.
        directories: Arc<[String]>,
    },
    /// The sender has its partitions back, and its write-ahead log is open.
    Recovered,
    /// Accept connections.
    Serve,
    /// The sender needs nothing of earlier lives any more.
    Drained,
    /// What clients with quotas have used at the sender since it last said so.
    Used {
        /// By whom.
        usage: Usage,
    },
    /// The receiver is the last: everyone else has stopped.
    Stopped,
}
