//! CreateTopics: asks the controller, and answers when every shard knows the topics.

use super::context::{Context, Frame, Handled};
use super::error::create_topic_error_code;
use super::operation::Kind;
use crate::controller::{Answer, Command, CreateTopicError, CreatedTopic, NewTopic};
use crate::protocol::messages::create_topics::{
    CreatableTopic, CreatableTopicConfigs, CreatableTopicResult, CreateTopicsRequest,
    CreateTopicsResponse,
};
use crate::protocol::{Array, Message as _};
use crate::types::NodeId;

/// A request under way.
#[derive(Debug)]
pub struct CreateTopics {
    version: i16,
    names: Vec<String>,
}

/// Handles a request.
pub(super) fn handle(ctx: &mut Context<'_>, frame: &Frame<'_>) -> Handled {
    let Ok(request) = CreateTopicsRequest::decode(frame.body, frame.version) else {
        return Handled::Close("a CreateTopics request that cannot be decoded");
    };
    let topics: Vec<NewTopic> = request.topics.iter().map(|topic| new_topic(&topic)).collect();
    let names = topics.iter().map(|topic| topic.name.clone()).collect();
    ctx.command(Command::CreateTopics { topics, validate_only: request.validate_only });
    Handled::Pending(Kind::CreateTopics(Box::new(CreateTopics { version: frame.version, names })))
}

fn new_topic(topic: &CreatableTopic<'_>) -> NewTopic {
    let assignments = topic.assignments.iter().map(|assignment| {
        let brokers = assignment.broker_ids.iter().map(NodeId::new).collect();
        (assignment.partition_index, brokers)
    });
    let settings = topic
        .configs
        .iter()
        .map(|setting| (setting.name.to_owned(), setting.value.map(str::to_owned)));
    NewTopic {
        name: topic.name.to_owned(),
        partitions: topic.num_partitions,
        replication_factor: topic.replication_factor,
        assignments: assignments.collect(),
        settings: settings.collect(),
    }
}

impl CreateTopics {
    /// The controller has answered.
    pub(super) fn commanded(&self, ctx: &mut Context<'_>, answer: Answer, correlation_id: i32) {
        let Answer::Created(results) = answer else {
            unreachable!("a creation was answered by {answer:?}")
        };
        let messages: Vec<Option<String>> = results
            .iter()
            .map(|result| result.as_ref().err().map(CreateTopicError::to_string))
            .collect();
        let rows: Vec<_> = results
            .iter()
            .map(|result| match result {
                Ok(created) => ctx.topics.describe(ctx.settings, &created.settings, |_| true),
                Err(_) => Vec::new(),
            })
            .collect();
        let configs: Vec<Vec<CreatableTopicConfigs<'_>>> = rows
            .iter()
            .map(|rows| {
                let row = |row| super::describe_configs::creatable(row);
                rows.iter().map(row).collect()
            })
            .collect();
        let topics: Vec<CreatableTopicResult<'_>> = results
            .iter()
            .zip(&self.names)
            .zip(messages.iter().zip(&configs))
            .map(|((result, name), (message, configs))| match result {
                Ok(created) => success(created, configs),
                Err(error) => CreatableTopicResult {
                    name,
                    error_code: create_topic_error_code(error).code(),
                    error_message: message.as_deref(),
                    ..Default::default()
                },
            })
            .collect();
        let topics = Array::new(&topics);
        let response = CreateTopicsResponse { topics, ..Default::default() };
        ctx.responder.respond(correlation_id, self.version, &response, []);
    }
}

fn success<'a>(
    created: &'a CreatedTopic,
    configs: &'a [CreatableTopicConfigs<'a>],
) -> CreatableTopicResult<'a> {
    CreatableTopicResult {
        name: &created.name,
        topic_id: created.id,
        num_partitions: created.partitions,
        replication_factor: created.replication_factor,
        configs: Some(Array::new(configs)),
        ..Default::default()
    }
}
