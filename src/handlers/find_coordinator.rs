//! FindCoordinator: which broker coordinates a group. The first request for one creates the topic
//! that holds groups. There is no coordinator for transactions yet, and the answer says so.

use super::context::{Context, Frame, Handled};
use super::offsets_topic::{OFFSETS_TOPIC, offsets_topic};
use super::operation::Kind;
use crate::controller::{Answer, Command, CreateTopicError};
use crate::protocol::messages::find_coordinator::{
    Coordinator, FindCoordinatorRequest, FindCoordinatorResponse,
};
use crate::protocol::{Array, ErrorCode, Message as _};
use crate::trace::Event;

/// The first version that asks for many keys.
const BATCHED_FROM: i16 = 4;
const GROUP: i8 = 0;
const KEY_TYPE_MAX: i8 = 2;
const NO_COORDINATOR: &str = "this broker does not coordinate transactions or share groups yet";

/// A request that waits for the topic.
#[derive(Debug)]
pub struct FindCoordinator {
    version: i16,
    keys: Vec<String>,
}

/// Handles a request.
pub(super) fn handle(ctx: &mut Context<'_>, frame: &Frame<'_>) -> Handled {
    let Ok(request) = FindCoordinatorRequest::decode(frame.body, frame.version) else {
        return Handled::Close("a FindCoordinator request that cannot be decoded");
    };
    let keys: Vec<&str> = match frame.version {
        ..BATCHED_FROM => vec![request.key],
        _ => request.coordinator_keys.iter().collect(),
    };
    if request.key_type != GROUP {
        let known = (0..=KEY_TYPE_MAX).contains(&request.key_type);
        // Clients would ask again for a minute if they were told that it is not available.
        let error = if known { ErrorCode::UnsupportedVersion } else { ErrorCode::InvalidRequest };
        let refusal = Err((error, NO_COORDINATOR.to_owned()));
        respond(ctx, frame.correlation_id, frame.version, &keys, &refusal);
        return Handled::Responded;
    }
    if ctx.topics.by_name(OFFSETS_TOPIC).is_some() {
        respond(ctx, frame.correlation_id, frame.version, &keys, &Ok(()));
        return Handled::Responded;
    }
    let topics = vec![offsets_topic(ctx.settings, ctx.image)];
    ctx.command(Command::CreateTopics { topics, validate_only: false });
    let keys = keys.into_iter().map(str::to_owned).collect();
    let find = FindCoordinator { version: frame.version, keys };
    Handled::Pending(Kind::FindCoordinator(Box::new(find)))
}

impl FindCoordinator {
    /// The controller has answered.
    pub(super) fn commanded(&self, ctx: &mut Context<'_>, answer: Answer, correlation_id: i32) {
        let Answer::Created(results) = answer else {
            unreachable!("a creation was answered by {answer:?}")
        };
        let created = match results.into_iter().next().expect("one topic was asked for") {
            // Somebody else asked for it at the same time.
            Ok(_) | Err(CreateTopicError::Exists(_)) => Ok(()),
            Err(error) => {
                let problem = error.to_string();
                ctx.outbound.events.push(Event::NoOffsetsTopic { problem: problem.clone() });
                Err((ErrorCode::CoordinatorNotAvailable, problem))
            }
        };
        let keys: Vec<&str> = self.keys.iter().map(String::as_str).collect();
        respond(ctx, correlation_id, self.version, &keys, &created);
    }
}

/// All groups are coordinated here, or none is for that reason.
fn respond(
    ctx: &mut Context<'_>,
    correlation_id: i32,
    version: i16,
    keys: &[&str],
    result: &Result<(), (ErrorCode, String)>,
) {
    let identity = ctx.identity;
    let found = Coordinator {
        node_id: identity.node.get(),
        host: &identity.host,
        port: i32::from(identity.port),
        error_code: ErrorCode::None.code(),
        ..Default::default()
    };
    let coordinator = match result {
        Ok(()) => found,
        Err((error, message)) => Coordinator {
            node_id: -1,
            port: -1,
            error_code: error.code(),
            error_message: Some(message),
            ..Default::default()
        },
    };
    if version < BATCHED_FROM {
        let Coordinator { node_id, host, port, error_code, error_message, .. } = coordinator;
        let response = FindCoordinatorResponse {
            error_code,
            error_message,
            node_id,
            host,
            port,
            ..Default::default()
        };
        return ctx.responder.respond(correlation_id, version, &response, []);
    }
    let coordinators: Vec<Coordinator<'_>> =
        keys.iter().map(|key| Coordinator { key, ..coordinator }).collect();
    let coordinators = Array::new(&coordinators);
    let response = FindCoordinatorResponse { coordinators, ..Default::default() };
    ctx.responder.respond(correlation_id, version, &response, []);
}
