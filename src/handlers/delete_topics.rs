//! DeleteTopics: asks the controller, and answers when every shard has let go of the topics.

use super::context::{Context, Frame, Handled};
use super::error::delete_topic_error_code;
use super::operation::Kind;
use crate::controller::{Answer, Command, DeleteTopicError, TopicReference};
use crate::protocol::messages::delete_topics::{
    DeletableTopicResult, DeleteTopicsRequest, DeleteTopicsResponse,
};
use crate::protocol::{Array, Message as _};
use crate::types::Uuid;

/// A request under way.
#[derive(Debug)]
pub struct DeleteTopics {
    version: i16,
    topics: Vec<TopicReference>,
}

/// Handles a request.
pub(super) fn handle(ctx: &mut Context<'_>, frame: &Frame<'_>) -> Handled {
    let Ok(request) = DeleteTopicsRequest::decode(frame.body, frame.version) else {
        return Handled::Close("a DeleteTopics request that cannot be decoded");
    };
    let names = request.topic_names.iter().map(|name| TopicReference::Name(name.to_owned()));
    let states = request.topics.iter().map(|state| match state.name {
        Some(name) if state.topic_id == Uuid::ZERO => TopicReference::Name(name.to_owned()),
        None if state.topic_id != Uuid::ZERO => TopicReference::Id(state.topic_id),
        _ => TopicReference::Unclear,
    });
    let topics: Vec<TopicReference> = names.chain(states).collect();
    ctx.command(Command::DeleteTopics { topics: topics.clone() });
    Handled::Pending(Kind::DeleteTopics(Box::new(DeleteTopics { version: frame.version, topics })))
}

impl DeleteTopics {
    /// The controller has answered.
    pub(super) fn commanded(&self, ctx: &mut Context<'_>, answer: Answer, correlation_id: i32) {
        let Answer::Deleted(results) = answer else {
            unreachable!("a deletion was answered by {answer:?}")
        };
        let messages: Vec<Option<String>> = results
            .iter()
            .map(|result| result.as_ref().err().map(DeleteTopicError::to_string))
            .collect();
        let responses: Vec<DeletableTopicResult<'_>> = results
            .iter()
            .zip(&self.topics)
            .zip(&messages)
            .map(|((result, reference), message)| match result {
                Ok((name, topic_id)) => DeletableTopicResult {
                    name: Some(name),
                    topic_id: *topic_id,
                    ..Default::default()
                },
                Err(error) => DeletableTopicResult {
                    error_code: delete_topic_error_code(*error).code(),
                    error_message: message.as_deref(),
                    ..named(reference)
                },
            })
            .collect();
        let responses = Array::new(&responses);
        let response = DeleteTopicsResponse { responses, ..Default::default() };
        ctx.responder.respond(correlation_id, self.version, &response, []);
    }
}

fn named(reference: &TopicReference) -> DeletableTopicResult<'_> {
    match reference {
        TopicReference::Name(name) => {
            DeletableTopicResult { name: Some(name), topic_id: Uuid::ZERO, ..Default::default() }
        }
        TopicReference::Id(id) => {
            DeletableTopicResult { name: None, topic_id: *id, ..Default::default() }
        }
        TopicReference::Unclear => DeletableTopicResult { name: None, ..Default::default() },
    }
}
