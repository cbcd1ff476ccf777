//! Settings of topics, brokers, groups and client metrics: reading and altering them.

use super::admin::{outcome, persist};
use super::{ClientError, Cluster};
use crate::protocol::Array;
use crate::protocol::messages::describe_configs::{
    DescribeConfigsRequest, DescribeConfigsResource, DescribeConfigsResponse,
};
use crate::protocol::messages::incremental_alter_configs::{
    AlterConfigsResource, AlterableConfig, IncrementalAlterConfigsRequest,
    IncrementalAlterConfigsResponse,
};

/// Sets a value.
const SET: i8 = 0;
/// Goes back to what would be without it.
const DELETE: i8 = 1;

/// What has settings.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Resource {
    /// A topic.
    Topic(String),
    /// One broker.
    Broker(i32),
    /// All brokers that have no other value of their own.
    Brokers,
    /// A group.
    Group(String),
    /// A subscription to clients' metrics.
    ClientMetrics(String),
}

impl Resource {
    fn kind(&self) -> i8 {
        match self {
            Self::Topic(_) => 2,
            Self::Broker(_) | Self::Brokers => 4,
            Self::ClientMetrics(_) => 16,
            Self::Group(_) => 32,
        }
    }

    fn name(&self) -> String {
        match self {
            Self::Topic(name) | Self::Group(name) | Self::ClientMetrics(name) => name.clone(),
            Self::Broker(node) => node.to_string(),
            Self::Brokers => String::new(),
        }
    }
}

impl core::fmt::Display for Resource {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Topic(name) => write!(f, "topic {name}"),
            Self::Broker(node) => write!(f, "broker {node}"),
            Self::Brokers => f.write_str("all brokers"),
            Self::Group(name) => write!(f, "group {name}"),
            Self::ClientMetrics(name) => write!(f, "client metrics {name}"),
        }
    }
}

/// A setting as a broker describes it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Setting {
    /// Its name.
    pub name: String,
    /// Its value; none where it is unset or secret.
    pub value: Option<String>,
    /// Where the value comes from, in Kafka's number.
    pub source: i8,
    /// Whether it changes with a restart only.
    pub read_only: bool,
    /// Whether its value is never shown.
    pub is_sensitive: bool,
}

impl Setting {
    /// Whether somebody gave the resource this value, instead of its coming from elsewhere.
    pub fn is_own(&self, resource: &Resource) -> bool {
        match resource {
            Resource::Topic(_) => self.source == 1,
            // What stands in its file was given to it too.
            Resource::Broker(_) => matches!(self.source, 2..=4),
            Resource::Brokers => self.source == 3,
            Resource::ClientMetrics(_) => self.source == 7,
            Resource::Group(_) => self.source == 8,
        }
    }

    /// Where the value comes from, in words.
    pub fn source_name(&self) -> &'static str {
        match self.source {
            1 => "topic",
            2 => "broker",
            3 => "all brokers",
            4 => "file",
            5 => "default",
            7 => "client metrics",
            8 => "group",
            _ => "unknown",
        }
    }
}

/// All settings of a resource, by name.
///
/// # Errors
/// It does not exist, or no broker tells.
pub fn describe(cluster: &mut Cluster, resource: &Resource) -> Result<Vec<Setting>, ClientError> {
    let name = resource.name();
    let resources = [DescribeConfigsResource {
        resource_type: resource.kind(),
        resource_name: &name,
        configuration_keys: None,
    }];
    let request = DescribeConfigsRequest {
        resources: Array::new(&resources),
        include_synonyms: false,
        include_documentation: false,
    };
    let answer = match resource {
        // Only the broker itself knows what stands in its file.
        Resource::Broker(node) => {
            let address = address_of(cluster, *node)?;
            cluster.ask_at_most(&address, i16::MAX, &request)?
        }
        _ => cluster.ask_any(&request)?,
    };
    let response: DescribeConfigsResponse<'_> = answer.decode()?;
    let mut settings = Vec::new();
    for result in response.results {
        if result.error_code != 0 {
            let what = format!("the settings of {resource}");
            return Err(ClientError::refused(what, result.error_code, result.error_message));
        }
        settings.extend(result.configs.iter().map(|config| Setting {
            name: config.name.to_owned(),
            value: config.value.map(str::to_owned),
            source: config.config_source,
            read_only: config.read_only,
            is_sensitive: config.is_sensitive,
        }));
    }
    settings.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(settings)
}

fn address_of(cluster: &mut Cluster, node: i32) -> Result<String, ClientError> {
    let brokers = cluster.brokers()?;
    brokers.get(&node).cloned().ok_or_else(|| {
        let known: Vec<String> = brokers.keys().map(i32::to_string).collect();
        let known = known.join(", ");
        ClientError::Invalid(format!("there is no broker {node}: the cluster has {known}"))
    })
}

/// Gives settings of a resource values, or takes them away where there is none.
///
/// # Errors
/// The controller refuses: then nothing has changed.
pub fn alter(
    cluster: &mut Cluster,
    resource: &Resource,
    changes: &[(String, Option<String>)],
    validate_only: bool,
) -> Result<(), ClientError> {
    let configs: Vec<AlterableConfig<'_>> = changes
        .iter()
        .map(|(name, value)| AlterableConfig {
            name,
            config_operation: if value.is_some() { SET } else { DELETE },
            value: value.as_deref(),
        })
        .collect();
    let resource_name = resource.name();
    let resources = [AlterConfigsResource {
        resource_type: resource.kind(),
        resource_name: &resource_name,
        configs: Array::new(&configs),
    }];
    let request =
        IncrementalAlterConfigsRequest { resources: Array::new(&resources), validate_only };
    persist(|| {
        let answer = cluster.ask_controller(&request)?;
        let response: IncrementalAlterConfigsResponse<'_> = answer.decode()?;
        let result = response.responses.iter().next();
        let (code, message) = result.map_or((-1, None), |it| (it.error_code, it.error_message));
        outcome(cluster, format!("the settings of {resource} are not altered"), code, message)
    })
}
