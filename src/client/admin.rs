//! Creating, deleting and describing topics.

use core::time::Duration;

use super::{ClientError, Cluster, Patience};
use crate::protocol::messages::create_topics::{
    CreatableTopic, CreatableTopicConfig, CreateTopicsRequest, CreateTopicsResponse,
};
use crate::protocol::messages::delete_topics::{
    DeleteTopicState, DeleteTopicsRequest, DeleteTopicsResponse,
};
use crate::protocol::messages::describe_configs::{
    DescribeConfigsRequest, DescribeConfigsResource, DescribeConfigsResponse,
};
use crate::protocol::{Array, ErrorCode};
use crate::types::Uuid;

/// How long a broker may take.
const TIMEOUT: Duration = Duration::from_secs(30);
/// The resource type of topics.
const TOPIC: i8 = 2;
/// The source of a setting that was made for one topic.
const SET_FOR_TOPIC: i8 = 1;

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

/// The settings that were made for a topic, by name.
///
/// # Errors
/// The broker does not tell.
pub fn topic_settings(
    cluster: &mut Cluster,
    name: &str,
) -> Result<Vec<(String, String)>, ClientError> {
    let resources = [DescribeConfigsResource {
        resource_type: TOPIC,
        resource_name: name,
        configuration_keys: None,
    }];
    let request = DescribeConfigsRequest {
        resources: Array::new(&resources),
        include_synonyms: false,
        include_documentation: false,
    };
    let answer = cluster.ask_any(&request)?;
    let response: DescribeConfigsResponse<'_> = answer.decode()?;
    let mut settings = Vec::new();
    for result in response.results {
        if result.error_code != 0 {
            let what = format!("the settings of {name}");
            return Err(ClientError::refused(what, result.error_code, result.error_message));
        }
        let own = result.configs.iter().filter(|config| config.config_source == SET_FOR_TOPIC);
        settings
            .extend(own.map(|it| (it.name.to_owned(), it.value.unwrap_or("(hidden)").to_owned())));
    }
    settings.sort();
    Ok(settings)
}

fn timeout_ms() -> i32 {
    i32::try_from(TIMEOUT.as_millis()).unwrap_or(i32::MAX)
}

fn outcome(
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
fn persist(mut attempt: impl FnMut() -> Result<(), ClientError>) -> Result<(), ClientError> {
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
