//! One file per API: what a request means, which partitions or who else has to be asked, and what
//! the response is. Only here do domain errors become Kafka codes.

mod acls;
mod alter_client_quotas;
mod alter_configs;
mod alter_partition_reassignments;
mod alter_replica_log_dirs;
mod api_versions;
mod ask;
mod context;
mod create_partitions;
mod create_topics;
mod delegation_tokens;
mod delete_groups;
mod delete_records;
mod delete_topics;
mod describe_client_quotas;
mod describe_cluster;
mod describe_configs;
mod describe_groups;
mod describe_log_dirs;
mod describe_producers;
mod describe_quorum;
mod describe_topic_partitions;
mod describe_transactions;
mod describe_user_scram_credentials;
mod elect_leaders;
mod error;
mod fetch;
mod find_coordinator;
mod group_call;
mod group_log;
mod heartbeat;
mod init_producer_id;
mod job;
mod join_group;
mod leave_group;
mod list_config_resources;
mod list_groups;
mod list_offsets;
mod list_partition_reassignments;
mod list_transactions;
mod metadata;
mod offset_commit;
mod offset_delete;
mod offset_fetch;
mod offset_for_leader_epoch;
mod offsets_topic;
mod operation;
mod peer;
mod produce;
mod producer_ids;
mod session;
mod sync_group;
mod table;
mod telemetry;
mod topics;
mod unregister_broker;
mod update_features;

use core::net::IpAddr;

use crate::protocol::{ApiKey, RequestHeader};
use crate::record::Invalid;
use crate::types::{Instant, TopicPartition};

pub use self::context::{
    Context, Frame, GroupQuestion, Handled, Identity, Outbound, Question, Responder,
};
pub use self::group_log::GroupRecords;
pub use self::job::{Job, JobResult, Prepared};
pub use self::offsets_topic::OFFSETS_TOPIC;
pub use self::operation::{Kind, Operation, OperationId, Operations};
pub use self::peer::{Answer, Ask, AskError, ReadResult, owner};
pub use self::producer_ids::ProducerIds;
pub use self::session::Sessions;
pub use self::telemetry::Subscriptions;
pub use self::topics::{TopicEntry, Topics};

/// Only records are large. A request of anything else that is longer would be about more topics,
/// partitions or settings than a core can look at without keeping others waiting; Kafka has the one
/// limit for all, `socket.request.max.bytes`.
const BODY_BYTES_MAX: usize = 8 << 20;

/// What a request's header says.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// What is asked.
    pub api: ApiKey,
    /// The version of request and response.
    pub version: i16,
    /// Given back with the response.
    pub correlation_id: i32,
    /// What the client calls itself.
    pub client_id: Option<&'a str>,
}

impl<'a> Asked<'a> {
    /// The header of a frame, and the request behind it.
    ///
    /// # Errors
    /// Why the connection is to be closed.
    pub fn split(frame: &'a [u8]) -> Result<(Self, &'a [u8]), &'static str> {
        let Ok((header, body)) = RequestHeader::split_frame(frame) else {
            return Err("a request without a header");
        };
        let api = header.api().ok_or("a request of an unknown API")?;
        if api != ApiKey::Produce && body.len() > BODY_BYTES_MAX {
            return Err("a request that is too large");
        }
        let (version, correlation_id) = (header.request_api_version, header.correlation_id);
        Ok((Self { api, version, correlation_id, client_id: header.client_id }, body))
    }
}

/// Handles a request of a client at `peer`.
pub fn handle(ctx: &mut Context<'_>, asked: &Asked<'_>, body: &[u8], peer: IpAddr) -> Handled {
    let Asked { api, version, correlation_id, client_id } = *asked;
    let frame = Frame { correlation_id, version, client_id, peer, body };
    match table::handler(api, version) {
        Ok(handler) => handler(ctx, &frame),
        Err(true) if api == ApiKey::ApiVersions => api_versions::unsupported(ctx, &frame),
        Err(_) => Handled::Close("a request of an API or version that is not served"),
    }
}

/// How a waiting request goes on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Settled {
    /// It waits.
    Waiting,
    /// The responder holds its response.
    Responded,
    /// It is done, and there is no response.
    Silent,
    /// It is done, and the connection is to be closed.
    Close(&'static str),
}

impl Operation {
    /// When the operation has to look again by itself.
    pub fn due(kind: &Kind) -> Option<Instant> {
        match kind {
            Kind::Fetch(fetch) => fetch.deadline(),
            _ => None,
        }
    }

    /// Takes a partition's answer.
    pub fn answered(&mut self, ctx: &mut Context<'_>, item: u32, answer: Answer) -> Settled {
        let correlation_id = self.correlation_id;
        let done = match &mut self.kind {
            Kind::Produce(produce) => produce.answered(item, answer),
            Kind::Fetch(fetch) => fetch.answered(ctx, item, answer) == fetch::Progress::Done,
            Kind::ListOffsets(list) => list.answered(item, answer),
            Kind::OffsetForLeaderEpoch(epochs) => epochs.answered(item, answer),
            Kind::Group(call) => call.answered(item, answer),
            Kind::DeleteRecords(delete) => delete.answered(item, answer),
            Kind::DescribeLogDirs(directories) => directories.answered(item, answer),
            Kind::DescribeProducers(producers) => producers.answered(item, answer),
            other => unreachable!("{other:?} asks no partition"),
        };
        if !done {
            return Settled::Waiting;
        }
        match &mut self.kind {
            Kind::Produce(produce) => {
                return settle_produce(produce, ctx, correlation_id, self.version);
            }
            Kind::Fetch(fetch) => fetch.respond(ctx, correlation_id),
            Kind::ListOffsets(list) => list.respond(ctx.responder, correlation_id),
            Kind::OffsetForLeaderEpoch(epochs) => epochs.respond(ctx.responder, correlation_id),
            Kind::Group(call) => call.respond(ctx, correlation_id),
            Kind::DeleteRecords(delete) => delete.respond(ctx.responder, correlation_id),
            Kind::DescribeLogDirs(directories) => directories.respond(ctx, correlation_id),
            Kind::DescribeProducers(producers) => {
                producers.respond(ctx.responder, correlation_id);
            }
            other => unreachable!("{other:?} asks no partition"),
        }
        Settled::Responded
    }

    /// Takes the controller's answer.
    pub fn commanded(
        &mut self,
        ctx: &mut Context<'_>,
        answer: crate::controller::Answer,
    ) -> Settled {
        let correlation_id = self.correlation_id;
        match &mut self.kind {
            Kind::Metadata(metadata) => metadata.commanded(ctx, answer, correlation_id),
            Kind::CreateTopics(create) => create.commanded(ctx, answer, correlation_id),
            Kind::DeleteTopics(delete) => delete.commanded(ctx, answer, correlation_id),
            Kind::CreatePartitions(create) => create.commanded(ctx, answer, correlation_id),
            Kind::AlterConfigs(alter) => alter.commanded(ctx, answer, correlation_id),
            Kind::AlterClientQuotas(alter) => alter.commanded(ctx, answer, correlation_id),
            Kind::UpdateFeatures(update) => update.commanded(ctx, answer, correlation_id),
            Kind::InitProducerId(init) => init.commanded(ctx, answer, correlation_id),
            Kind::FindCoordinator(find) => find.commanded(ctx, answer, correlation_id),
            other => unreachable!("{other:?} asks no controller"),
        }
        Settled::Responded
    }

    /// A partition that the operation watches has more to show, or its time has come.
    pub fn look_again(&mut self, ctx: &mut Context<'_>) -> Settled {
        let Kind::Fetch(fetch) = &mut self.kind else { return Settled::Waiting };
        if fetch.look_again(ctx) == fetch::Progress::Waiting {
            return Settled::Waiting;
        }
        fetch.respond(ctx, self.correlation_id);
        Settled::Responded
    }

    /// A job has prepared a batch.
    pub fn prepared(
        &mut self,
        ctx: &mut Context<'_>,
        id: TopicPartition,
        item: u32,
        prepared: Result<Prepared, Invalid>,
    ) -> Settled {
        let Kind::Produce(produce) = &mut self.kind else {
            unreachable!("only a produce has batches prepared")
        };
        if !produce.prepared(ctx, id, item, prepared) {
            return Settled::Waiting;
        }
        settle_produce(produce, ctx, self.correlation_id, self.version)
    }

    /// Nobody waits for the response any more.
    pub fn abandon(&mut self, ctx: &mut Context<'_>) {
        if let Kind::Fetch(fetch) = &mut self.kind {
            fetch.unwatch(ctx);
        }
    }
}

fn settle_produce(
    produce: &produce::Produce,
    ctx: &mut Context<'_>,
    correlation_id: i32,
    version: i16,
) -> Settled {
    if !produce.is_silent() {
        produce.respond(ctx.responder, correlation_id, version);
        return Settled::Responded;
    }
    if produce.has_failed() {
        Settled::Close("a produce without response")
    } else {
        Settled::Silent
    }
}
