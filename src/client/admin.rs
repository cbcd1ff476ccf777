//! Creating and deleting topics.

use core::time::Duration;

use super::{ClientError, Cluster, Patience};
use crate::protocol::messages::create_topics::{
    CreatableTopic, CreatableTopicConfig, CreateTopicsRequest, CreateTopicsResponse,
};
use crate::protocol::messages::delete_topics::{
    DeleteTopicState, DeleteTopicsRequest, DeleteTopicsResponse,
};
use crate::protocol::{Array, ErrorCode};
use crate::types::Uuid;

/// How long a broker may take.
const TIMEOUT: Duration = Duration::from_secs(30);

/// A topic to be created.
#[derive(Clone, Copy, Debug)]
pub struct NewTopic<'a> {
    /// The name.
    pub name: &'a str,
    /// How many partitions; none for the broker's default.
    pub partitions: Option<i32>,
    /// How many replicas of each; none for the broker's default.
    pub replication_factor: Option<i16>,
    /// Settings, by name.
    pub settings: &'a [(String, String)],
}

/// Creates a topic.
///
/// # Errors
/// It exists already, or something about it is invalid.
pub fn create_topic(cluster: &mut Cluster, topic: &NewTopic<'_>) -> Result<(), ClientError> {
    let settings: Vec<CreatableTopicConfig<'_>> = topic
        .settings
        .iter()
        .map(|(name, value)| CreatableTopicConfig { name, value: Some(value) })
        .collect();
    let topics = [CreatableTopic {
        name: topic.name,
        num_partitions: topic.partitions.unwrap_or(-1),
        replication_factor: topic.replication_factor.unwrap_or(-1),
        configs: Array::new(&settings),
        ..Default::default()
    }];
    let request = CreateTopicsRequest {
        topics: Array::new(&topics),
        timeout_ms: timeout_ms(),
        validate_only: false,
    };
    persist(|| {
        let answer = cluster.ask_controller(&request)?;
        let response: CreateTopicsResponse<'_> = answer.decode()?;
        let result = response.topics.iter().find(|result| result.name == topic.name);
        let (code, message) = result.map_or((-1, None), |it| (it.error_code, it.error_message));
        outcome(cluster, format!("topic {} is not created", topic.name), code, message)
    })
}

/// Deletes a topic.
///
/// # Errors
/// It does not exist, or may not be deleted.
pub fn delete_topic(cluster: &mut Cluster, name: &str) -> Result<(), ClientError> {
    let topics = [DeleteTopicState { name: Some(name), topic_id: Uuid::ZERO }];
    let names = [name];
    let request = DeleteTopicsRequest {
        topics: Array::new(&topics),
        topic_names: Array::new(&names),
        timeout_ms: timeout_ms(),
    };
    persist(|| {
        let answer = cluster.ask_controller(&request)?;
        let response: DeleteTopicsResponse<'_> = answer.decode()?;
        let result = response.responses.iter().find(|result| result.name == Some(name));
        let (code, message) = result.map_or((-1, None), |it| (it.error_code, it.error_message));
        outcome(cluster, format!("topic {name} is not deleted"), code, message)
    })
}

fn timeout_ms() -> i32 {
    i32::try_from(TIMEOUT.as_millis()).unwrap_or(i32::MAX)
}

pub(super) fn outcome(
    cluster: &mut Cluster,
    what: String,
    code: i16,
    message: Option<&str>,
) -> Result<(), ClientError> {
    if code == 0 {
        return Ok(());
    }
    if code == ErrorCode::NotController.code() {
        cluster.forget_controller();
    }
    Err(ClientError::refused(what, code, message))
}

/// Tries again while the controller is moving. A lost connection is not tried again: the change
/// may have been made.
pub(super) fn persist(
    mut attempt: impl FnMut() -> Result<(), ClientError>,
) -> Result<(), ClientError> {
    let mut patience = Patience::new(TIMEOUT);
    loop {
        match attempt() {
            Err(error) if error.code() == Some(ErrorCode::NotController) => {
                patience.after(error)?;
            }
            other => return other,
        }
    }
}
