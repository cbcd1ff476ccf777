//! One shard without I/O: what it asks the disk for is answered at once, and nothing is written. So
//! everything between a client's bytes and the effects is there, and nothing else.

use std::any::Any;
use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use millstream::config::{BrokerSettings, Machine, Sources};
use millstream::connection::Piece;
use millstream::handlers::Identity;
use millstream::io::{
    Buffer, DiskDone, DiskError, DiskOp, DiskRequest, DiskResult, FileHandle, FileName, FreeSpace,
    OpenFile,
};
use millstream::protocol::messages::create_topics::{CreatableTopic, CreateTopicsRequest};
use millstream::protocol::messages::fetch::{FetchPartition, FetchRequest, FetchTopic};
use millstream::protocol::messages::produce::{
    PartitionProduceData, ProduceRequest, TopicProduceData,
};
use millstream::protocol::{
    Array, Message as _, Records, Request, Writer, messages, write_request,
};
use millstream::quota::Limits;
use millstream::record::{BatchBuilder, BatchOptions, NewRecord};
use millstream::shard::{Effect, Input, Shard, ShardConfig};
use millstream::store::StoreConfig;
use millstream::types::{ConnectionId, Instant, NodeId, Now, ShardId, Timestamp, Uuid};
use millstream::wal::WalLimits;

const TOPIC: &str = "one";
const START: Timestamp = Timestamp::new(1_700_000_000_000);

/// A file of which only the length is kept.
#[derive(Debug)]
struct Empty(AtomicU64);

impl OpenFile for Empty {
    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// A disk that answers as one would, and keeps nothing but lengths and small files.
#[derive(Default)]
struct Disk {
    files: BTreeMap<String, FileHandle>,
    small: BTreeMap<String, Vec<u8>>,
}

fn length(file: &FileHandle) -> &AtomicU64 {
    &file.downcast::<Empty>().expect("opened here").0
}

impl Disk {
    fn perform(&mut self, op: DiskOp) -> DiskResult {
        match op {
            DiskOp::Open { path, create, .. } => {
                let open = self.files.get(&*path).cloned();
                let file = match open {
                    Some(file) => file,
                    None if !create => return Err(DiskError::NotFound),
                    None => {
                        let file = FileHandle::new(Empty(AtomicU64::new(0)));
                        self.files.insert(path.to_string(), file.clone());
                        file
                    }
                };
                let len = length(&file).load(Ordering::Relaxed);
                return Ok(DiskDone::Opened { file, len });
            }
            DiskOp::Write { file, position, bytes } => {
                length(&file).fetch_max(position + bytes.len() as u64, Ordering::Relaxed);
            }
            DiskOp::Allocate { file, position, len } => {
                length(&file).fetch_max(position + len, Ordering::Relaxed);
            }
            DiskOp::SetLength { file, len } => length(&file).store(len, Ordering::Relaxed),
            DiskOp::Read { len, .. } => {
                let mut buffer = Buffer::with_capacity(len);
                buffer.extend_zeros(len);
                return Ok(DiskDone::Read(buffer.range(0..len)));
            }
            DiskOp::ReadFile { path, .. } => {
                let bytes = self.small.get(&*path).cloned().ok_or(DiskError::NotFound)?;
                return Ok(DiskDone::Bytes(bytes));
            }
            DiskOp::WriteFile { path, bytes } => {
                self.small.insert(path.to_string(), bytes);
            }
            DiskOp::Rename { from, to } => {
                if let Some(file) = self.files.remove(&*from) {
                    self.files.insert(to.to_string(), file);
                }
                if let Some(bytes) = self.small.remove(&*from) {
                    self.small.insert(to.to_string(), bytes);
                }
            }
            DiskOp::List { .. } => return Ok(DiskDone::Listed(Vec::new())),
            DiskOp::FreeSpace { .. } => {
                let bytes = 1 << 40;
                return Ok(DiskDone::Free(FreeSpace { free_bytes: bytes, total_bytes: bytes }));
            }
            _ => {}
        }
        Ok(DiskDone::Done)
    }
}

/// A shard with one client.
pub struct World {
    shard: Shard,
    disk: Disk,
    inputs: VecDeque<Input>,
    effects: Vec<Effect>,
    requests: Vec<DiskRequest>,
    flushes: Vec<ConnectionId>,
    nanos: u64,
    connection: ConnectionId,
    closed: bool,
    /// Nothing that is written is on the device any more.
    stalled: bool,
    /// Bytes that the client was sent.
    pub sent_bytes: u64,
}

impl World {
    /// A shard that serves, with a topic of one partition and a client.
    pub fn new() -> Self {
        let mut world = Self {
            shard: Shard::new(config()),
            disk: Disk::default(),
            inputs: VecDeque::new(),
            effects: Vec::new(),
            requests: Vec::new(),
            flushes: Vec::new(),
            nanos: 1,
            connection: ConnectionId::new(2),
            closed: false,
            stalled: false,
            sent_bytes: 0,
        };
        world.inputs.push_back(Input::Start);
        world.settle();
        world.inputs.push_back(Input::Opened {
            connection: world.connection,
            peer: std::net::Ipv4Addr::LOCALHOST.into(),
        });
        world.settle();
        let topics = [CreatableTopic {
            name: TOPIC,
            num_partitions: 1,
            replication_factor: 1,
            ..Default::default()
        }];
        let topics = Array::new(&topics);
        let request = CreateTopicsRequest { topics, timeout_ms: 1000, ..Default::default() };
        world.request(&frame(7, &request));
        assert!(world.sent_bytes > 0, "the topic was made");
        world
    }

    fn now(&mut self) -> Now {
        self.nanos += 1_000;
        let timestamp = Timestamp::new(START.get() + (self.nanos / 1_000_000) as i64);
        Now { instant: Instant::new(self.nanos), timestamp }
    }

    /// Gives the shard a request, and carries out all that it leads to.
    pub fn request(&mut self, frame: &[u8]) {
        let sent = self.sent_bytes;
        self.receive(frame);
        self.settle();
        while self.sent_bytes == sent {
            // It waits for room: for what is due, such as a look at the device's space.
            let due = self.shard.deadline().expect("every request is answered");
            self.nanos = self.nanos.max(due.get());
            self.settle();
        }
    }

    /// Lets the device stand still: what is written from now on never ends.
    pub fn stall(&mut self) {
        self.stalled = true;
    }

    /// Gives the shard a request; answers whether it is answered before time passes.
    pub fn is_answered(&mut self, frame: &[u8]) -> bool {
        let sent = self.sent_bytes;
        self.receive(frame);
        self.settle();
        self.sent_bytes > sent
    }

    /// Lets time pass.
    pub fn pass(&mut self, seconds: u64) {
        self.nanos += seconds * 1_000_000_000;
        self.settle();
    }

    /// The same of a client that may have to wait until it is read from.
    pub fn patient_request(&mut self, frame: &[u8]) {
        while self.shard.space(self.connection).is_none() {
            let due = self.shard.deadline().expect("nobody waits for ever");
            self.nanos = self.nanos.max(due.get());
            self.settle();
        }
        self.request(frame);
    }

    /// Gives clients quotas.
    pub fn limit(&mut self, limits: Limits) {
        self.shard.set_quotas(limits);
    }

    /// The time since the beginning.
    pub fn seconds(&self) -> f64 {
        self.nanos as f64 / 1e9
    }

    /// Answers that told the client to wait.
    pub fn throttled(&mut self) -> u64 {
        self.shard.report().metrics.throttled
    }

    /// Says that the last turn took so long.
    pub fn turn_took(&mut self, nanos: u64) {
        let now = self.now();
        self.shard.turn_took(now, nanos);
    }

    /// Opens another connection, from this address, and goes on with it.
    pub fn comes_from(&mut self, peer: IpAddr) {
        let connection = ConnectionId::new(self.connection.get() + 1);
        self.connection = connection;
        self.inputs.push_back(Input::Opened { connection, peer });
        self.settle();
    }

    /// Gives the shard bytes that may be anything, over a connection of their own.
    pub fn hostile(&mut self, bytes: &[u8]) {
        self.closed = false;
        self.connection = ConnectionId::new(self.connection.get() + 1);
        self.inputs.push_back(Input::Opened {
            connection: self.connection,
            peer: std::net::Ipv4Addr::LOCALHOST.into(),
        });
        self.settle();
        self.receive(bytes);
        self.settle();
        if !self.closed {
            self.inputs.push_back(Input::Closed(self.connection));
            self.settle();
        }
    }

    /// Gives the shard more than it reads of a client that then ends its sending; answers how many
    /// seconds later the connection is closed.
    pub fn seconds_until_left(&mut self, frames: &[u8]) -> u64 {
        self.closed = false;
        self.connection = ConnectionId::new(self.connection.get() + 1);
        self.inputs.push_back(Input::Opened {
            connection: self.connection,
            peer: std::net::Ipv4Addr::LOCALHOST.into(),
        });
        self.settle();
        self.receive(frames);
        assert!(self.shard.space(self.connection).is_none(), "it is read from to its end");
        self.inputs.push_back(Input::Ended(self.connection));
        let start = self.nanos;
        self.settle();
        while !self.closed {
            self.nanos += 1_000_000_000;
            self.settle();
        }
        (self.nanos - start) / 1_000_000_000
    }

    /// Gives the shard bytes over one connection, and bytes over another one that has to wait for
    /// the memory that the first one holds; answers how many seconds later the first is closed.
    pub fn seconds_until_cut_off(&mut self, first: &[u8], other: &[u8]) -> u64 {
        self.closed = false;
        self.comes_from(std::net::Ipv4Addr::LOCALHOST.into());
        let connection = self.connection;
        self.receive(first);
        while self.shard.space(connection).is_none() {
            let due = self.shard.deadline().expect("nobody waits for ever");
            self.nanos = self.nanos.max(due.get());
            self.settle();
        }
        self.comes_from(std::net::Ipv4Addr::LOCALHOST.into());
        self.receive(other);
        assert!(self.shard.space(self.connection).is_none(), "there is memory for both");
        let start = self.nanos;
        while !self.closed {
            self.nanos += 1_000_000_000;
            self.settle();
        }
        (self.nanos - start) / 1_000_000_000
    }

    /// How long it takes until the connection is closed.
    pub fn seconds_until_closed(&mut self) -> f64 {
        let start = self.seconds();
        while !self.closed {
            let due = self.shard.deadline().expect("it is closed some time");
            self.nanos = self.nanos.max(due.get());
            self.settle();
        }
        self.seconds() - start
    }

    /// Gives the shard a request's bytes; answers how many of them it reads before anything is on
    /// disk.
    pub fn receive(&mut self, frame: &[u8]) -> usize {
        let mut rest = frame;
        while !rest.is_empty() {
            let Some(space) = self.shard.space(self.connection) else { break };
            let bytes = rest.len().min(space.len());
            space[..bytes].copy_from_slice(&rest[..bytes]);
            rest = &rest[bytes..];
            let (now, connection) = (self.now(), self.connection);
            self.shard.handle(now, Input::Received { connection, bytes });
            self.flush(now);
        }
        frame.len() - rest.len()
    }

    /// Runs turns until nothing is left to do.
    fn settle(&mut self) {
        loop {
            while let Some(input) = self.inputs.pop_front() {
                let now = self.now();
                self.shard.handle(now, input);
                self.flush(now);
            }
            self.turn();
            if self.inputs.is_empty() {
                return;
            }
        }
    }

    /// Ends a turn: effects become inputs.
    fn turn(&mut self) {
        let now = self.now();
        self.shard.handle(now, Input::TurnEnded);
        self.flush(now);
        self.shard.take_effects(&mut self.effects);
        for effect in self.effects.drain(..) {
            match effect {
                Effect::Disk(request) => self.requests.push(request),
                Effect::Send { message, .. } => {
                    self.inputs.push_back(Input::Message { from: ShardId::FIRST, message });
                }
                Effect::Compute(job) => {
                    let (id, reply) = (job.id, job.reply);
                    self.inputs.push_back(Input::Computed { id, reply, result: job.run() });
                }
                Effect::Close(_) => self.closed = true,
                Effect::Listen | Effect::Resume(_) | Effect::Log(_) => {}
                other => panic!("nothing asks for {other:?}"),
            }
        }
        for DiskRequest { owner, token, op } in self.requests.drain(..) {
            if self.stalled && matches!(op, DiskOp::Write { .. }) {
                continue;
            }
            let result = self.disk.perform(op);
            self.inputs.push_back(Input::Disk { owner, token, result });
        }
    }

    fn flush(&mut self, now: Now) {
        loop {
            self.shard.take_flushes(&mut self.flushes);
            if self.flushes.is_empty() {
                return;
            }
            for connection in self.flushes.drain(..) {
                let Some(outbox) = self.shard.outbox(connection) else { continue };
                let length = |piece: Piece<'_>| match piece {
                    Piece::Bytes(bytes) => bytes.len() as u64,
                    Piece::File { len, .. } => len,
                };
                let bytes = outbox.pieces().map(length).sum();
                self.sent_bytes += bytes;
                self.shard.handle(now, Input::Sent { connection, bytes });
            }
        }
    }
}

fn config() -> ShardConfig {
    let root = FileName::new("/data");
    let machine = Machine { memory_bytes: 1 << 30, cores: 2 };
    let sources = Sources { file: None, overrides: &[], machine, strict: true };
    let settings = BrokerSettings::resolve(&sources).expect("defaults").settings;
    ShardConfig {
        shard: ShardId::FIRST,
        shards: 1,
        settings: Arc::new(settings),
        identity: Identity { node: NodeId::new(1), host: "here".into(), port: 9092, rack: None },
        root: root.clone(),
        seed: 1,
        request_memory_bytes: 64 << 20,
        store: StoreConfig {
            log_directory: root.clone(),
            log_directory_id: Uuid::ZERO,
            wal_parent: root.join("wal"),
            wal_id: 0,
            shard: ShardId::FIRST,
            wal: WalLimits {
                bytes_max: 1 << 30,
                first_file_bytes: 16 << 20,
                file_bytes_max: 64 << 20,
                commit_bytes_max: 1 << 20,
            },
            // Small, so that a long run uses memory again instead of asking the system for more.
            tail_bytes_max: 32 << 20,
            checkpoint_bytes: 8 << 20,
            checkpoint_interval: core::time::Duration::from_secs(5),
            reserve_bytes: 64 << 20,
            producer_expiry: core::time::Duration::from_secs(86_400),
            retention_interval: core::time::Duration::from_secs(300),
            compaction: millstream::store::CompactionLimits {
                enabled: true,
                map_bytes_max: 1 << 20,
                bytes_per_second: u64::MAX,
                backoff: core::time::Duration::from_secs(15),
            },
        },
    }
}

/// Creates so many topics whose names have `mark` in them.
pub fn create_topics(mark: usize, count: usize) -> Vec<u8> {
    let names: Vec<String> = (0..count).map(|topic| format!("{mark}-{topic:0>90}")).collect();
    let topics: Vec<_> = names
        .iter()
        .map(|name| CreatableTopic {
            name,
            num_partitions: 1,
            replication_factor: 1,
            ..Default::default()
        })
        .collect();
    let topics = Array::new(&topics);
    frame(7, &CreateTopicsRequest { topics, timeout_ms: 1000, ..Default::default() })
}

/// The emptiest request of each API that is served, in every version.
pub fn empty_requests() -> Vec<Vec<u8>> {
    let mut frames = Vec::new();
    macro_rules! every_version {
        ($($request:ty),* $(,)?) => {
            $(for version in <$request>::VERSIONS {
                frames.push(frame(version, &<$request>::default()));
            })*
        };
    }
    every_version!(
        ProduceRequest<'_>,
        FetchRequest<'_>,
        CreateTopicsRequest<'_>,
        messages::alter_client_quotas::AlterClientQuotasRequest<'_>,
        messages::alter_configs::AlterConfigsRequest<'_>,
        messages::alter_partition_reassignments::AlterPartitionReassignmentsRequest<'_>,
        messages::alter_replica_log_dirs::AlterReplicaLogDirsRequest<'_>,
        messages::api_versions::ApiVersionsRequest<'_>,
        messages::create_acls::CreateAclsRequest<'_>,
        messages::create_delegation_token::CreateDelegationTokenRequest<'_>,
        messages::create_partitions::CreatePartitionsRequest<'_>,
        messages::delete_acls::DeleteAclsRequest<'_>,
        messages::delete_topics::DeleteTopicsRequest<'_>,
        messages::describe_acls::DescribeAclsRequest<'_>,
        messages::describe_client_quotas::DescribeClientQuotasRequest<'_>,
        messages::describe_cluster::DescribeClusterRequest,
        messages::describe_configs::DescribeConfigsRequest<'_>,
        messages::describe_delegation_token::DescribeDelegationTokenRequest<'_>,
        messages::describe_log_dirs::DescribeLogDirsRequest<'_>,
        messages::describe_producers::DescribeProducersRequest<'_>,
        messages::describe_quorum::DescribeQuorumRequest<'_>,
        messages::describe_topic_partitions::DescribeTopicPartitionsRequest<'_>,
        messages::describe_transactions::DescribeTransactionsRequest<'_>,
        messages::describe_user_scram_credentials::DescribeUserScramCredentialsRequest<'_>,
        messages::elect_leaders::ElectLeadersRequest<'_>,
        messages::expire_delegation_token::ExpireDelegationTokenRequest<'_>,
        messages::find_coordinator::FindCoordinatorRequest<'_>,
        messages::get_telemetry_subscriptions::GetTelemetrySubscriptionsRequest,
        messages::incremental_alter_configs::IncrementalAlterConfigsRequest<'_>,
        messages::init_producer_id::InitProducerIdRequest<'_>,
        messages::list_config_resources::ListConfigResourcesRequest<'_>,
        messages::list_offsets::ListOffsetsRequest<'_>,
        messages::list_partition_reassignments::ListPartitionReassignmentsRequest<'_>,
        messages::list_transactions::ListTransactionsRequest<'_>,
        messages::metadata::MetadataRequest<'_>,
        messages::offset_for_leader_epoch::OffsetForLeaderEpochRequest<'_>,
        messages::push_telemetry::PushTelemetryRequest<'_>,
        messages::renew_delegation_token::RenewDelegationTokenRequest<'_>,
        messages::unregister_broker::UnregisterBrokerRequest,
        messages::update_features::UpdateFeaturesRequest<'_>,
    );
    frames
}

/// A request as it comes over the wire.
fn frame<'a, M: Request<'a>>(version: i16, request: &M) -> Vec<u8> {
    let mut writer = Writer::new();
    write_request(&mut writer, 1, Some("client"), version, request).expect("a small request");
    writer.bytes().to_vec()
}

/// Looks for the coordinator of a group, which makes the topic of groups.
pub fn find_coordinator() -> Vec<u8> {
    let find = messages::find_coordinator::FindCoordinatorRequest {
        key: "g",
        key_type: 0,
        ..Default::default()
    };
    frame(2, &find)
}

/// A commit whose records take nearly a whole batch, of a request that is far smaller.
pub fn large_commit() -> Vec<u8> {
    use messages::offset_commit::{
        OffsetCommitRequest, OffsetCommitRequestPartition, OffsetCommitRequestTopic,
    };
    let group = "g".repeat(30_000);
    let partitions = vec![OffsetCommitRequestPartition::default(); 30];
    let partitions = Array::new(&partitions);
    let topics = [OffsetCommitRequestTopic { name: TOPIC, partitions, ..Default::default() }];
    let commit = OffsetCommitRequest {
        group_id: &group,
        generation_id_or_member_epoch: -1,
        topics: Array::new(&topics),
        ..Default::default()
    };
    frame(9, &commit)
}

/// A produce of one record of 1 KiB, waiting for the disk.
pub fn produce() -> Vec<u8> {
    let mut builder = BatchBuilder::new(BatchOptions::default());
    let value = [7; 1024];
    let record = NewRecord { timestamp: START, key: None, value: Some(&value), headers: &[] };
    builder.append(&record).expect("one record");
    let mut bytes = Vec::new();
    builder.finish(&mut bytes).expect("one record");
    let partitions = [PartitionProduceData { index: 0, records: Some(Records::Bytes(&bytes)) }];
    let topics = [TopicProduceData {
        name: TOPIC,
        partition_data: Array::new(&partitions),
        ..Default::default()
    }];
    let topic_data = Array::new(&topics);
    let request = ProduceRequest { acks: -1, timeout_ms: 1000, topic_data, ..Default::default() };
    frame(9, &request)
}

/// A fetch of one batch of 1 KiB at an offset, without a session.
pub fn fetch(fetch_offset: i64) -> Vec<u8> {
    waiting_fetch(fetch_offset, 0)
}

/// The same, which waits for records that are not there.
pub fn waiting_fetch(fetch_offset: i64, max_wait_ms: i32) -> Vec<u8> {
    let partitions = [FetchPartition {
        partition: 0,
        fetch_offset,
        partition_max_bytes: 1024,
        ..Default::default()
    }];
    let topics =
        [FetchTopic { topic: TOPIC, partitions: Array::new(&partitions), ..Default::default() }];
    let topics = Array::new(&topics);
    let request = FetchRequest {
        max_bytes: 1024,
        min_bytes: 1,
        session_epoch: -1,
        max_wait_ms,
        topics,
        ..Default::default()
    };
    frame(12, &request)
}
