//! The brokers of a cluster, who leads which partition, and the connections to them.

use core::time::Duration;
use std::collections::BTreeMap;

use super::{Answer, ClientError, Connection, Patience};
use crate::protocol::messages::metadata::{
    MetadataRequest, MetadataRequestTopic, MetadataResponse, MetadataResponseTopic,
};
use crate::protocol::{Array, ErrorCode, Request};
use crate::types::Uuid;

/// Above every wait that a broker is asked for.
const RESPONSE_TIMEOUT_MAX: Duration = Duration::from_secs(40);

/// A topic as its cluster describes it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TopicInfo {
    /// The name.
    pub name: String,
    /// The id, zero from brokers without ids.
    pub id: Uuid,
    /// Whether it belongs to the brokers themselves.
    pub is_internal: bool,
    /// In the order of their index.
    pub partitions: Vec<PartitionInfo>,
}

/// A partition as its cluster describes it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PartitionInfo {
    /// Its index.
    pub index: i32,
    /// The leader's node id, -1 while there is none.
    pub leader: i32,
    /// The node ids of all replicas, the preferred leader first.
    pub replicas: Vec<i32>,
    /// Those of them that are in sync.
    pub in_sync_replicas: Vec<i32>,
}

impl TopicInfo {
    /// The leader of a partition, -1 while there is none.
    pub fn leader(&self, partition: i32) -> i32 {
        let found = self.partitions.iter().find(|info| info.index == partition);
        found.map_or(-1, |info| info.leader)
    }

    fn of(topic: &MetadataResponseTopic<'_>) -> Self {
        let mut partitions: Vec<PartitionInfo> = topic
            .partitions
            .iter()
            .map(|partition| PartitionInfo {
                index: partition.partition_index,
                leader: partition.leader_id,
                replicas: partition.replica_nodes.iter().collect(),
                in_sync_replicas: partition.isr_nodes.iter().collect(),
            })
            .collect();
        partitions.sort_by_key(|partition| partition.index);
        Self {
            name: topic.name.unwrap_or_default().to_owned(),
            id: topic.topic_id,
            is_internal: topic.is_internal,
            partitions,
        }
    }
}

/// A cluster, found by the addresses of some of its brokers.
#[derive(Debug)]
pub struct Cluster {
    bootstrap: Vec<String>,
    /// Host and port of each node.
    brokers: BTreeMap<i32, String>,
    controller: i32,
    /// By address: a node and a bootstrap server may be the same.
    connections: BTreeMap<String, Connection>,
    response_timeout: Duration,
}

impl Cluster {
    /// A cluster with brokers at these addresses, `host:port`, separated by commas. Nothing is
    /// connected yet.
    ///
    /// # Errors
    /// There is no address, or one without a port.
    pub fn new(bootstrap: &str) -> Result<Self, ClientError> {
        let addresses = bootstrap.split(',').map(str::trim).filter(|address| !address.is_empty());
        let bootstrap: Vec<String> = addresses.map(str::to_owned).collect();
        let faulty = bootstrap.iter().find(|address| {
            let port = address.rsplit_once(':').map(|(_, port)| port.parse::<u16>());
            !matches!(port, Some(Ok(1..)))
        });
        if let Some(address) = faulty {
            let reason = format!("{address:?} is no address: write HOST:PORT");
            return Err(ClientError::Invalid(reason));
        }
        if bootstrap.is_empty() {
            return Err(ClientError::Invalid("no broker is named: write HOST:PORT".to_owned()));
        }
        let (brokers, connections) = (BTreeMap::new(), BTreeMap::new());
        let response_timeout = RESPONSE_TIMEOUT_MAX;
        Ok(Self { bootstrap, brokers, controller: -1, connections, response_timeout })
    }

    /// Takes a connection for broken when a response takes longer.
    pub fn limit_response_timeout(&mut self, timeout: Duration) {
        self.response_timeout = self.response_timeout.min(timeout);
    }

    /// Describes one topic.
    ///
    /// # Errors
    /// The topic does not exist, or no broker answers.
    pub fn topic(&mut self, name: &str, create: bool) -> Result<TopicInfo, ClientError> {
        let topics = [MetadataRequestTopic { topic_id: Uuid::ZERO, name: Some(name) }];
        let answer = self.metadata(Some(&topics), create)?;
        let response: MetadataResponse<'_> = answer.decode()?;
        let found = response.topics.iter().find(|topic| topic.name == Some(name));
        let refused = |code| ClientError::refused(format!("topic {name}"), code, None);
        let topic = found.ok_or_else(|| refused(ErrorCode::UnknownTopicOrPartition.code()))?;
        if topic.error_code != 0 {
            return Err(refused(topic.error_code));
        }
        if topic.partitions.is_empty() {
            return Err(refused(ErrorCode::LeaderNotAvailable.code()));
        }
        Ok(TopicInfo::of(&topic))
    }

    /// Describes all topics, by name.
    ///
    /// # Errors
    /// No broker answers.
    pub fn topics(&mut self) -> Result<Vec<TopicInfo>, ClientError> {
        let answer = self.metadata(None, false)?;
        let response: MetadataResponse<'_> = answer.decode()?;
        let whole = response.topics.iter().filter(|topic| topic.error_code == 0);
        let mut topics: Vec<TopicInfo> = whole.map(|topic| TopicInfo::of(&topic)).collect();
        topics.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(topics)
    }

    /// Asks for metadata at whichever broker answers first, and learns the brokers from it.
    fn metadata(
        &mut self,
        topics: Option<&[MetadataRequestTopic<'_>]>,
        create: bool,
    ) -> Result<Answer, ClientError> {
        let request = MetadataRequest {
            topics: topics.map(Array::new),
            allow_auto_topic_creation: create,
            ..Default::default()
        };
        let answer = self.ask_any(&request)?;
        let response: MetadataResponse<'_> = answer.decode()?;
        let brokers = response.brokers.iter();
        self.brokers =
            brokers.map(|broker| (broker.node_id, join(broker.host, broker.port))).collect();
        self.controller = response.controller_id;
        Ok(answer)
    }

    /// Asks any broker: first those that are connected, then those known, then the first ones.
    ///
    /// # Errors
    /// None of them answers: what the last one said.
    pub fn ask_any<'a, R: Request<'a>>(&mut self, request: &R) -> Result<Answer, ClientError> {
        let mut addresses: Vec<String> = self.connections.keys().cloned().collect();
        for address in self.brokers.values().chain(&self.bootstrap) {
            if !addresses.contains(address) {
                addresses.push(address.clone());
            }
        }
        let mut failure = None;
        for address in addresses {
            match self.ask(&address, request) {
                Err(error) if error.is_retriable() => failure = Some(error),
                other => return other,
            }
        }
        Err(failure.unwrap_or_else(|| ClientError::Invalid("no broker is known".to_owned())))
    }

    /// Asks the controller, or any broker as long as it is unknown.
    ///
    /// # Errors
    /// It does not answer.
    pub fn ask_controller<'a, R: Request<'a>>(
        &mut self,
        request: &R,
    ) -> Result<Answer, ClientError> {
        if self.brokers.is_empty() {
            self.metadata(Some(&[]), false)?;
        }
        match self.brokers.get(&self.controller).cloned() {
            Some(address) => self.ask(&address, request),
            None => self.ask_any(request),
        }
    }

    /// The controller has moved: looks for it again before it is asked next.
    pub fn forget_controller(&mut self) {
        self.brokers.clear();
    }

    /// The brokers' node ids and addresses, as any of them says.
    ///
    /// # Errors
    /// None answers.
    pub fn brokers(&mut self) -> Result<&BTreeMap<i32, String>, ClientError> {
        self.metadata(Some(&[]), false)?;
        Ok(&self.brokers)
    }

    fn ask<'a, R: Request<'a>>(
        &mut self,
        address: &str,
        request: &R,
    ) -> Result<Answer, ClientError> {
        self.ask_at_most(address, i16::MAX, request)
    }

    /// Asks the broker at an address, in a version of at most `version_max`.
    ///
    /// # Errors
    /// It does not answer, or knows no such version.
    pub fn ask_at_most<'a, R: Request<'a>>(
        &mut self,
        address: &str,
        version_max: i16,
        request: &R,
    ) -> Result<Answer, ClientError> {
        let answer = self.connect(address)?.call_at_most(version_max, request);
        if answer.is_err() {
            self.connections.remove(address);
        }
        answer
    }

    fn connect(&mut self, address: &str) -> Result<&mut Connection, ClientError> {
        if !self.connections.contains_key(address) {
            let connection = Connection::open(address, self.response_timeout)?;
            self.connections.insert(address.to_owned(), connection);
        }
        Ok(self.connections.get_mut(address).expect("inserted when it was missing"))
    }

    /// The connection to a node.
    ///
    /// # Errors
    /// The node is unknown, as -1 is, or cannot be reached.
    pub fn node(&mut self, node: i32) -> Result<&mut Connection, ClientError> {
        let Some(address) = self.brokers.get(&node).cloned() else {
            let code = ErrorCode::LeaderNotAvailable.code();
            return Err(ClientError::refused("a partition has no leader", code, None));
        };
        self.connect(&address)
    }

    /// Closes the connection to a node, on which something failed.
    pub fn disconnect(&mut self, node: i32) {
        if let Some(address) = self.brokers.get(&node) {
            self.connections.remove(address);
        }
    }

    /// Describes a topic, again and again until all is well: it exists, and each partition has a
    /// leader.
    ///
    /// # Errors
    /// The time is over, or the topic does not exist and is not created.
    pub fn await_topic(
        &mut self,
        name: &str,
        create: bool,
        mut patience: Patience,
    ) -> Result<TopicInfo, ClientError> {
        /// A new topic is unknown for a moment; one that nobody creates stays so.
        const UNKNOWN_MAX: Duration = Duration::from_secs(5);
        let mut unknown = Patience::new(if create { UNKNOWN_MAX } else { Duration::ZERO });
        loop {
            let error = match self.topic(name, create) {
                Ok(topic) if topic.partitions.iter().all(|it| it.leader >= 0) => return Ok(topic),
                Ok(_) => {
                    let code = ErrorCode::LeaderNotAvailable.code();
                    ClientError::refused(format!("topic {name}"), code, None)
                }
                Err(error) => error,
            };
            // Nobody waits two minutes for what was never there.
            if self.brokers.is_empty() && matches!(error, ClientError::Unreachable { .. }) {
                return Err(error);
            }
            if error.code() != Some(ErrorCode::UnknownTopicOrPartition) {
                unknown.progressed();
            } else if unknown.left().is_none() {
                return Err(ClientError::Invalid(format!(
                    "there is no topic {name}: create it with `millstream topics create {name}`"
                )));
            }
            patience.after(error)?;
        }
    }
}

pub(super) fn join(host: &str, port: i32) -> String {
    if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
}
