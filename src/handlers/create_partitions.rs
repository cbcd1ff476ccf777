//! CreatePartitions: adds partitions to topics, and answers when every shard knows them.
//!
//! Other than by Kafka, a topic that is named twice is answered each time.

use super::context::{Context, Frame, Handled};
use super::error::create_partitions_error_code;
use super::operation::Kind;
use crate::controller::{Answer, Command, NewPartitions};
use crate::protocol::messages::create_partitions::{
    CreatePartitionsRequest, CreatePartitionsResponse, CreatePartitionsTopicResult,
};
use crate::protocol::{Array, ErrorCode, Message as _};
use crate::types::NodeId;

/// A request under way.
#[derive(Debug)]
pub struct CreatePartitions {
    version: i16,
    names: Vec<String>,
}

/// Handles a request.
pub(super) fn handle(ctx: &mut Context<'_>, frame: &Frame<'_>) -> Handled {
    let Ok(request) = CreatePartitionsRequest::decode(frame.body, frame.version) else {
        return Handled::Close("a CreatePartitions request that cannot be decoded");
    };
    let topics = request.topics.iter().map(|topic| NewPartitions {
        topic: topic.name.to_owned(),
        count: topic.count,
        assignments: topic.assignments.map(|assignments| {
            let brokers = assignments.iter().map(|assignment| assignment.broker_ids);
            brokers.map(|brokers| brokers.iter().map(NodeId::new).collect()).collect()
        }),
    });
    let topics: Vec<NewPartitions> = topics.collect();
    let names = topics.iter().map(|topic| topic.topic.clone()).collect();
    ctx.command(Command::CreatePartitions { topics, validate_only: request.validate_only });
    let operation = CreatePartitions { version: frame.version, names };
    Handled::Pending(Kind::CreatePartitions(Box::new(operation)))
}

impl CreatePartitions {
    /// The controller has answered.
    pub(super) fn commanded(&self, ctx: &mut Context<'_>, answer: Answer, correlation_id: i32) {
        let Answer::PartitionsCreated(results) = answer else {
            unreachable!("new partitions were answered by {answer:?}")
        };
        let messages: Vec<Option<String>> =
            results.iter().map(|result| result.as_ref().err().map(ToString::to_string)).collect();
        let rows = self.names.iter().zip(results.iter().zip(&messages));
        let results: Vec<CreatePartitionsTopicResult<'_>> = rows
            .map(|(name, (result, message))| CreatePartitionsTopicResult {
                name,
                error_code: match result {
                    Ok(()) => ErrorCode::None.code(),
                    Err(error) => create_partitions_error_code(error).code(),
                },
                error_message: message.as_deref(),
            })
            .collect();
        let results = Array::new(&results);
        let response = CreatePartitionsResponse { results, ..Default::default() };
        ctx.responder.respond(correlation_id, self.version, &response, []);
    }
}
