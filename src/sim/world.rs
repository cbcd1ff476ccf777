//! The world of one run: a broker, its disk, clients, and time that only moves when something
//! happens. Everything follows from the seed.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use super::broker::{ROOT, SimBroker, Wish, shard_configs};
use super::check;
use super::client::{Client, Consumer, Deleter, Producer, View, Wants};
use super::disk::{DiskFaults, SimDisk};
use super::faults::{Fault, Planned};
use super::model::{Cleanup, Model};
use super::report::{Phase, RunReport, Violation};
use super::settings::{cleanup, settings};
use crate::config::BrokerSettings;
use crate::handlers::Job;
use crate::prng::Prng;
use crate::record::crc32c;
use crate::shard::{Exit, Input, Message};
use crate::types::{ConnectionId, Instant, Now, ShardId, Timestamp};

/// How long the wind-down may take: everything finishes in this time.
const FINISH_NANOS: u64 = 30_000_000_000;
/// Inputs that come within this time belong to one turn.
const TURN_NANOS_MAX: u64 = 60_000;
/// More than any run takes that ends.
const EVENTS_MAX: u64 = 1_500_000;
const CAPACITY: u64 = 256 << 20;
/// The wall clock at the start.
const EPOCH_MILLIS: i64 = 1_700_000_000_000;

/// What happens at some time.
#[derive(Debug)]
enum Event {
    Disk { life: u32, shard: u16, owner: u32, token: u32, number: u64, commit: bool },
    Message { life: u32, from: u16, to: u16, message: Message },
    Job { life: u32, shard: u16, job: Job },
    TurnEnd { life: u32, shard: u16 },
    ToBroker { connection: u64 },
    ToClient { connection: u64, bytes: Vec<u8> },
    Connect { client: usize },
    Closed { connection: u64 },
    Wake { client: usize },
    Fault,
    Cut { life: u32 },
    EndSlow,
    EndFull,
    Start,
}

impl Event {
    /// For the trace: two runs of a seed do the same, with the same bytes.
    fn digest(&self) -> u64 {
        match self {
            Self::Disk { shard, owner, token, number, .. } => {
                number.rotate_left(40)
                    ^ u64::from(*shard)
                    ^ u64::from(owner ^ token.rotate_left(16))
            }
            Self::ToClient { connection, bytes } => connection << 32 | u64::from(crc32c(bytes)),
            Self::ToBroker { connection } | Self::Closed { connection } => !connection,
            Self::Connect { client } | Self::Wake { client } => 1 << 20 | *client as u64,
            Self::Message { from, to, .. } => 2 << 40 | u64::from(*from) << 16 | u64::from(*to),
            _ => 3,
        }
    }
}

/// How a run is made up.
#[derive(Clone, Debug)]
pub struct RunConfig {
    /// The seed.
    pub seed: u64,
    /// The faults, in order.
    pub faults: Vec<Planned>,
    /// Whether disks fill up and fail is decided by the faults; this many clients of each kind.
    pub producers: u32,
    /// Consumers.
    pub consumers: u32,
}

/// A connection on its way through the network.
#[derive(Debug)]
struct Link {
    client: usize,
    to_broker: VecDeque<u8>,
    /// The broker does not read now.
    asleep: bool,
    delivering: bool,
}

pub(super) struct World {
    config: RunConfig,
    prng: Prng,
    now: u64,
    sequence: u64,
    events: BTreeMap<(u64, u64), Event>,
    disk: SimDisk,
    broker: Option<SimBroker>,
    /// Counts starts, so that what was wanted in an earlier life is not done in a later.
    life: u32,
    shards: u16,
    listening: Vec<bool>,
    exits: u16,
    /// When each shard's turn ends.
    turn_at: Vec<Option<u64>>,
    commits_on_way: u32,
    cut_at_commit: bool,
    /// The cut that is coming, for the report.
    coming: Option<Fault>,
    recovery_steps: Option<u32>,
    /// Requests that a full disk had refused when the broker began to start.
    refused_before: u64,
    stopping: bool,
    /// When the broker last served.
    served: u64,
    clients: Vec<Client>,
    /// Each client's connection.
    connections: Vec<Option<u64>>,
    /// When each client is woken.
    wake_at: Vec<Option<u64>>,
    links: BTreeMap<u64, Link>,
    next_connection: u64,
    model: Model,
    planned: VecDeque<Planned>,
    winding_down: bool,
    settings: Arc<BrokerSettings>,
    report: RunReport,
    wishes: Vec<Wish>,
}

impl World {
    pub(super) fn new(config: RunConfig) -> Self {
        let mut prng = Prng::new(config.seed);
        let disk = SimDisk::new(ROOT, CAPACITY, prng.fork());
        let (cleanup, for_cleanup) = cleanup(config.seed);
        let settings = settings(&mut prng, &for_cleanup);
        let mut world = Self {
            planned: config.faults.iter().copied().collect(),
            config,
            prng,
            now: 1,
            sequence: 0,
            events: BTreeMap::new(),
            disk,
            broker: None,
            life: 0,
            shards: 1,
            listening: Vec::new(),
            exits: 0,
            turn_at: Vec::new(),
            commits_on_way: 0,
            cut_at_commit: false,
            coming: None,
            recovery_steps: None,
            refused_before: 0,
            stopping: false,
            served: 0,
            clients: Vec::new(),
            connections: Vec::new(),
            wake_at: Vec::new(),
            links: BTreeMap::new(),
            next_connection: 1,
            model: Model { cleanup, ..Model::default() },
            winding_down: false,
            settings: Arc::new(settings),
            report: RunReport::default(),
            wishes: Vec::new(),
        };
        world.make_clients();
        world.start();
        world.plan_next_fault();
        world
    }

    fn make_clients(&mut self) {
        for index in 0..self.config.producers {
            let idempotent = self.prng.percent(75);
            let segment_bytes = self.settings.topic_defaults.segments.bytes_max;
            let mut view = self.view_parts();
            let client = Producer::new(index, idempotent, segment_bytes, &mut view.view());
            self.add_client(Client::Producer(Box::new(client)));
        }
        for _ in 0..self.config.consumers {
            let mut view = self.view_parts();
            let client = Consumer::new(&mut view.view());
            self.add_client(Client::Consumer(Box::new(client)));
        }
        self.add_client(Client::Admin(Box::default()));
        if matches!(self.model.cleanup, Cleanup::Deletion | Cleanup::CompactionAndDeletion) {
            let client = Deleter::new(&mut self.view_parts().view());
            self.add_client(Client::Deleter(Box::new(client)));
        }
    }

    fn add_client(&mut self, client: Client) {
        let index = self.clients.len();
        self.clients.push(client);
        self.connections.push(None);
        self.wake_at.push(None);
        self.after(1_000_000, Event::Connect { client: index });
    }

    fn view_parts(&mut self) -> ViewParts<'_> {
        ViewParts {
            now: self.now,
            prng: &mut self.prng,
            model: &mut self.model,
            winding_down: self.winding_down,
        }
    }

    fn after(&mut self, nanos: u64, event: Event) {
        self.sequence += 1;
        self.events.insert((self.now + nanos, self.sequence), event);
    }

    fn clock(&self) -> Now {
        let timestamp = Timestamp::new(EPOCH_MILLIS + (self.now / 1_000_000) as i64);
        Now { instant: Instant::new(self.now), timestamp }
    }

    /// Runs to the end.
    pub(super) fn run(mut self) -> Result<RunReport, Violation> {
        let unfinished = Violation::of("finish");
        let mut deadline = None;
        loop {
            let Some(((time, _), event)) = self.events.pop_first() else {
                return Err(unfinished("nothing happens any more".to_owned()));
            };
            self.now = self.now.max(time);
            self.report.events += 1;
            self.note(time);
            self.note(event.digest());
            self.happen(event)?;
            if self.report.events > EVENTS_MAX {
                return Err(unfinished("events follow each other without an end".to_owned()));
            }
            if let Some(violation) = self.model.violation.take() {
                return Err(violation);
            }
            check::memory::check(self.broker.as_mut()).map_err(Violation::of("memory"))?;
            if self.planned.is_empty() && !self.winding_down && self.is_serving() {
                self.wind_down();
                deadline = Some(self.now + FINISH_NANOS);
            }
            if self.winding_down && self.is_finished() {
                break;
            }
            if self.is_serving() {
                self.served = self.now;
            } else if self.now - self.served > FINISH_NANOS {
                let phase = if self.stopping { "stop" } else { "start" };
                let what = format!("the broker does not {phase}: {:?}", self.listening);
                return Err(unfinished(what));
            }
            if deadline.is_some_and(|deadline| self.now > deadline) {
                let what = "not everything finished after the faults had stopped";
                return Err(unfinished(what.to_owned()));
            }
        }
        self.finish()
    }

    fn note(&mut self, what: u64) {
        let trace = &mut self.report.trace;
        *trace = (*trace ^ what).wrapping_mul(0x100_0000_01b3).rotate_left(7);
    }

    fn is_serving(&self) -> bool {
        self.broker.is_some() && self.listening.iter().all(|listening| *listening) && !self.stopping
    }

    fn wind_down(&mut self) {
        self.winding_down = true;
        self.disk.faults = DiskFaults::default();
        self.disk.set_capacity(CAPACITY);
    }

    fn is_finished(&self) -> bool {
        self.is_serving() && self.clients.iter().all(Client::is_done)
    }

    /// The last look: everything that was promised is there, and a restart changes nothing.
    fn finish(mut self) -> Result<RunReport, Violation> {
        self.count_cleanup();
        self.report.batches = self.model.batches;
        self.report.disk = self.disk.counts;
        let (before, starts) = self.read_all()?;
        let (again, starts_again) = self.read_all()?;
        check::recovery::check(&before, &again).map_err(Violation::of("recovery"))?;
        if starts != starts_again {
            return Err(Violation::of("recovery")("a log starts elsewhere".to_owned()));
        }
        check::kept::check_starts(&self.model, &starts).map_err(Violation::of("starts"))?;
        check::acknowledged::check(&self.model, &before, &starts)
            .map_err(Violation::of("acknowledged"))?;
        check::shown::check(&self.model, &before, &starts).map_err(Violation::of("shown"))?;
        check::duplicates::check(&self.model, &before).map_err(Violation::of("duplicates"))?;
        check::order::check(&self.model, &before).map_err(Violation::of("order"))?;
        if self.model.cleanup.compacts() {
            let expired = check::kept::check_order(&self.model, &before);
            self.report.expired = expired.map_err(Violation::of("deleted"))?;
        }
        for (key, log) in &before {
            self.report.trace ^= (log.len() as u64).wrapping_mul(key.1 as u64 + 1);
        }
        Ok(self.report)
    }

    fn read_all(&mut self) -> Result<(check::Contents, check::kept::Starts), Violation> {
        let compacts = self.model.cleanup.compacts();
        check::contents::read(&mut self.disk, self.settings.clone(), &mut self.prng, compacts)
    }

    fn happen(&mut self, event: Event) -> Result<(), Violation> {
        match event {
            Event::Disk { life, shard, owner, token, number, commit } if life == self.life => {
                self.commits_on_way -= u32::from(commit);
                let result = self.disk.complete(number);
                self.give(shard, Input::Disk { owner, token, result });
                self.count_recovery_step();
            }
            Event::Message { life, from, to, message } if life == self.life => {
                self.give(to, Input::Message { from: ShardId::new(from), message });
            }
            Event::Job { life, shard, job } if life == self.life => {
                let (id, reply) = (job.id, job.reply);
                self.give(shard, Input::Computed { id, reply, result: job.run() });
            }
            Event::TurnEnd { life, shard } if life == self.life => self.end_turn(shard)?,
            Event::ToBroker { connection } => self.deliver(connection),
            Event::ToClient { connection, bytes } => self.deliver_back(connection, &bytes),
            Event::Connect { client } => self.connect(client),
            Event::Closed { connection } => self.link_lost(connection),
            Event::Wake { client } => self.wake(client),
            Event::Fault => self.next_fault(),
            Event::Cut { life } if life == self.life => self.cut(),
            Event::EndSlow => self.disk.faults.slow = 0,
            Event::EndFull => self.disk.set_capacity(CAPACITY),
            Event::Start if self.broker.is_none() => self.start(),
            _ => {}
        }
        Ok(())
    }

    fn start(&mut self) {
        self.life += 1;
        self.refused_before = self.disk.counts.refused_full;
        self.shards = 1 + self.prng.below(3) as u16;
        let configs = shard_configs(self.shards, &mut self.prng, &self.settings);
        self.broker = Some(SimBroker::new(configs));
        self.listening = vec![false; usize::from(self.shards)];
        self.turn_at = vec![None; usize::from(self.shards)];
        self.exits = 0;
        self.commits_on_way = 0;
        self.stopping = false;
        for shard in 0..self.shards {
            self.give(shard, Input::Start);
        }
    }

    /// Gives a shard an input; its turn ends a little later, so that several come together.
    fn give(&mut self, shard: u16, input: Input) {
        let now = self.clock();
        let Some(broker) = &mut self.broker else { return };
        let mut wishes = std::mem::take(&mut self.wishes);
        broker.handle(now, shard, input, &self.disk, &mut wishes);
        self.grant(&mut wishes);
        self.wishes = wishes;
        self.plan_turn_end(shard);
    }

    fn plan_turn_end(&mut self, shard: u16) {
        let planned = self.turn_at[usize::from(shard)];
        if planned.is_none_or(|at| at > self.now + TURN_NANOS_MAX) {
            let nanos = self.prng.below(TURN_NANOS_MAX);
            self.plan_turn(shard, self.now + nanos);
        }
    }

    /// Lets a shard's turn end at a time, unless it does so earlier.
    fn plan_turn(&mut self, shard: u16, at: u64) {
        let planned = &mut self.turn_at[usize::from(shard)];
        if planned.is_none_or(|planned| at < planned) {
            *planned = Some(at);
            let (life, nanos) = (self.life, at - self.now);
            self.after(nanos, Event::TurnEnd { life, shard });
        }
    }

    fn end_turn(&mut self, shard: u16) -> Result<(), Violation> {
        if self.turn_at[usize::from(shard)] != Some(self.now) {
            // Another one was planned before it.
            return Ok(());
        }
        let now = self.clock();
        self.turn_at[usize::from(shard)] = None;
        let Some(broker) = &mut self.broker else { return Ok(()) };
        let mut wishes = std::mem::take(&mut self.wishes);
        broker.end_turn(now, shard, &mut self.disk, &mut wishes);
        let deadline = broker.shard(shard).and_then(|shard| shard.deadline());
        let exits = self.grant(&mut wishes);
        self.wishes = wishes;
        for (shard, exit) in exits {
            // A broker that is gone already has nothing more to say.
            if self.broker.is_some() {
                self.exited(shard, exit)?;
            }
        }
        if let Some(deadline) = deadline
            && self.broker.is_some()
        {
            let nanos = deadline.get().saturating_sub(self.now).clamp(1, 10_000_000_000);
            self.plan_turn(shard, self.now + nanos);
        }
        Ok(())
    }

    fn grant(&mut self, wishes: &mut Vec<Wish>) -> Vec<(u16, Exit)> {
        let life = self.life;
        let mut exits = Vec::new();
        for wish in wishes.drain(..) {
            match wish {
                Wish::Disk { shard, owner, token, number, nanos, commit } => {
                    self.commits_on_way += u32::from(commit);
                    if commit && self.cut_at_commit {
                        self.cut_at_commit = false;
                        let within = self.prng.below(nanos);
                        self.after(within, Event::Cut { life });
                    }
                    self.after(nanos, Event::Disk { life, shard, owner, token, number, commit });
                }
                Wish::Message { from, to, message } => {
                    // In order between each two shards, as their queues are.
                    self.after(20_000, Event::Message { life, from, to, message });
                }
                Wish::Job { shard, job } => {
                    let nanos = self.prng.below(2_000_000);
                    self.after(nanos, Event::Job { life, shard, job });
                }
                Wish::Bytes { connection, bytes } => {
                    self.after(50_000, Event::ToClient { connection, bytes });
                }
                Wish::Close { connection } => self.after(60_000, Event::Closed { connection }),
                Wish::Resume { connection } => self.resume(connection),
                Wish::Listen { shard } => self.listening[usize::from(shard)] = true,
                Wish::Exit { shard, exit } => exits.push((shard, exit)),
            }
        }
        exits
    }

    fn exited(&mut self, shard: u16, exit: Exit) -> Result<(), Violation> {
        match exit {
            Exit::Stopped if self.stopping => {
                self.exits += 1;
                if let Some(broker) = &mut self.broker {
                    broker.shards[usize::from(shard)] = None;
                }
                if self.exits == self.shards {
                    self.gone();
                }
                Ok(())
            }
            Exit::Failed(_) if self.disk.counts.syncs_failed > self.report.fail_stops => {
                self.report.fail_stops = self.disk.counts.syncs_failed;
                self.disk.faults = DiskFaults::default();
                // The device has dropped what it could not sync; a restart of the machine shows it.
                self.disk.cut();
                self.gone();
                Ok(())
            }
            // A device without room for a write-ahead log is no place to start, though there may be
            // some again by now.
            Exit::Failed(reason) if !self.is_serving() && self.was_full(&reason) => {
                self.report.full_starts += 1;
                self.disk.abandon();
                self.gone();
                Ok(())
            }
            other => {
                let property = if self.is_serving() { "serving" } else { "recovery" };
                let message = format!("shard {shard} ended: {other:?}");
                Err(Violation { property, message })
            }
        }
    }

    /// Whether a start that failed for this reason met a full device.
    fn was_full(&self, reason: &str) -> bool {
        let named = ["no room", "no space"].iter().any(|words| reason.contains(words));
        named && self.disk.counts.refused_full > self.refused_before
    }

    fn count_cleanup(&mut self) {
        for shard in self.broker.iter().flat_map(|broker| broker.shards.iter().flatten()) {
            let store = shard.store();
            self.report.compacted += store.segments_compacted();
            let logs = store.partitions().map(|partition| &partition.log);
            self.report.removed += logs.map(crate::log::Log::segments_removed).sum::<u64>();
        }
    }

    /// The broker is gone, with its connections.
    fn gone(&mut self) {
        self.count_cleanup();
        self.broker = None;
        self.life += 1;
        if self.coming == Some(Fault::CutInCommit) {
            // The life ended otherwise before the cut came: it is the next one's.
            self.expect_cut();
        }
        for connection in self.links.keys().copied().collect::<Vec<_>>() {
            self.after(10_000, Event::Closed { connection });
        }
        self.after(100_000, Event::Start);
    }

    fn count_recovery_step(&mut self) {
        if let Some(steps) = &mut self.recovery_steps
            && self.broker.is_some()
        {
            if *steps == 0 {
                self.recovery_steps = None;
                self.cut();
            } else {
                *steps -= 1;
            }
        }
    }

    fn cut(&mut self) {
        if self.broker.is_none() {
            return;
        }
        self.report.cuts += 1;
        self.report.cuts_in_commit += u64::from(self.commits_on_way > 0);
        if let Some(fault) = self.coming.take() {
            self.report.happened(fault, self.phase());
        }
        self.disk.cut();
        self.gone();
        self.plan_next_fault();
    }

    /// Cuts the power at the next commit; should none come, soon.
    fn expect_cut(&mut self) {
        self.cut_at_commit = true;
        let (life, most) = (self.life, 200_000_000);
        self.after(most, Event::Cut { life });
    }

    fn plan_next_fault(&mut self) {
        if let Some(next) = self.planned.front() {
            let after = next.after;
            self.after(after, Event::Fault);
        }
    }

    fn phase(&self) -> Phase {
        match (self.stopping, self.is_serving()) {
            (true, _) => Phase::Stopping,
            (false, true) => Phase::Serving,
            (false, false) => Phase::Starting,
        }
    }

    /// Stops the broker as it should be, if it serves.
    fn stop(&mut self) {
        if self.is_serving() {
            self.stopping = true;
            for shard in 0..self.shards {
                self.give(shard, Input::Stop);
            }
        }
    }

    fn next_fault(&mut self) {
        let Some(Planned { fault, .. }) = self.planned.pop_front() else { return };
        self.note(fault.kind() as u64);
        let begins = matches!(fault, Fault::Stop | Fault::CutInStop(_) | Fault::CutInRecovery(_));
        if self.broker.is_none() || (self.stopping && begins) {
            return self.plan_next_fault();
        }
        if fault.is_cut() {
            self.coming = Some(fault);
        } else {
            self.report.happened(fault, self.phase());
        }
        match fault {
            // These plan the next one when they have happened.
            Fault::CutInCommit => self.expect_cut(),
            Fault::CutAnytime => {
                self.cut();
            }
            Fault::CutInRecovery(steps) => {
                self.recovery_steps = Some(steps);
                self.disk.abandon();
                self.gone();
                // Should the start take fewer steps, the cut comes while the broker serves.
            }
            Fault::Kill => {
                self.disk.abandon();
                self.gone();
                self.plan_next_fault();
            }
            Fault::Stop => {
                self.stop();
                self.plan_next_fault();
            }
            Fault::CutInStop(steps) => {
                self.recovery_steps = Some(steps);
                self.stop();
            }
            Fault::Disconnect => {
                for connection in self.links.keys().copied().collect::<Vec<_>>() {
                    if self.prng.percent(50) {
                        self.disconnect(connection);
                    }
                }
                self.plan_next_fault();
            }
            Fault::SlowDisk => {
                self.disk.faults.slow = 20;
                self.after(200_000_000, Event::EndSlow);
                self.plan_next_fault();
            }
            Fault::FailingDisk => {
                self.disk.faults.sync_failures = 100_000;
                self.disk.faults.write_failures = 20_000;
                self.plan_next_fault();
            }
            Fault::FullDisk => {
                let used = self.disk.used();
                self.disk.set_capacity(used + self.prng.below(200_000));
                self.after(300_000_000, Event::EndFull);
                self.plan_next_fault();
            }
        }
    }

    // The network.

    fn connect(&mut self, client: usize) {
        if self.connections[client].is_some() {
            return;
        }
        if !self.is_serving() {
            return self.after(5_000_000, Event::Connect { client });
        }
        let connection = self.next_connection;
        self.next_connection += 1;
        let shard = self.prng.below(u64::from(self.shards)) as u16;
        let broker = self.broker.as_mut().expect("serving");
        broker.homes.insert(connection, shard);
        let link = Link { client, to_broker: VecDeque::new(), asleep: false, delivering: false };
        self.links.insert(connection, link);
        self.connections[client] = Some(connection);
        self.give(
            shard,
            Input::Opened {
                connection: ConnectionId::new(connection),
                peer: core::net::Ipv4Addr::LOCALHOST.into(),
            },
        );
        self.with_client(client, |client, view| client.connected(view));
    }

    fn with_client(&mut self, index: usize, act: impl FnOnce(&mut Client, &mut View<'_>) -> Wants) {
        let mut view = ViewParts {
            now: self.now,
            prng: &mut self.prng,
            model: &mut self.model,
            winding_down: self.winding_down,
        };
        let wants = act(&mut self.clients[index], &mut view.view());
        if let Some(nanos) = wants.wake_after {
            self.plan_wake(index, self.now + nanos);
        }
        let Some(connection) = self.connections[index] else { return };
        if !wants.bytes.is_empty()
            && let Some(link) = self.links.get_mut(&connection)
        {
            link.to_broker.extend(wants.bytes);
            self.plan_delivery(connection);
        }
        if wants.disconnect {
            self.disconnect(connection);
        }
    }

    fn plan_delivery(&mut self, connection: u64) {
        let nanos = 20_000 + self.prng.below(100_000);
        let Some(link) = self.links.get_mut(&connection) else { return };
        if !link.delivering && !link.asleep && !link.to_broker.is_empty() {
            link.delivering = true;
            self.after(nanos, Event::ToBroker { connection });
        }
    }

    fn deliver(&mut self, connection: u64) {
        let most = 1 + self.prng.below(6000) as usize;
        let Some(link) = self.links.get_mut(&connection) else { return };
        link.delivering = false;
        let Some(broker) = &mut self.broker else { return };
        let Some(shard) = broker.homes.get(&connection).copied() else { return };
        let Some(running) = broker.shard(shard) else { return };
        let id = ConnectionId::new(connection);
        let Some(space) = running.space(id) else {
            link.asleep = true;
            return;
        };
        let bytes = most.min(space.len()).min(link.to_broker.len());
        for (to, from) in space.iter_mut().zip(link.to_broker.drain(..bytes)) {
            *to = from;
        }
        self.give(shard, Input::Received { connection: id, bytes });
        self.plan_delivery(connection);
    }

    fn resume(&mut self, connection: u64) {
        if let Some(link) = self.links.get_mut(&connection) {
            link.asleep = false;
            self.plan_delivery(connection);
        }
    }

    fn deliver_back(&mut self, connection: u64, bytes: &[u8]) {
        let Some(link) = self.links.get(&connection) else { return };
        let client = link.client;
        self.with_client(client, |client, view| client.received(view, bytes));
    }

    /// Wakes a client at a time, unless it is woken earlier.
    fn plan_wake(&mut self, client: usize, at: u64) {
        let planned = &mut self.wake_at[client];
        if planned.is_none_or(|planned| at < planned) {
            *planned = Some(at);
            self.after(at - self.now, Event::Wake { client });
        }
    }

    fn wake(&mut self, client: usize) {
        if self.wake_at[client] != Some(self.now) {
            // Another one was planned before it.
            return;
        }
        self.wake_at[client] = None;
        if self.connections[client].is_some() {
            self.with_client(client, |client, view| client.woken(view));
        }
    }

    /// The client's side ends a connection.
    fn disconnect(&mut self, connection: u64) {
        if let Some(broker) = &mut self.broker
            && let Some(shard) = broker.homes.remove(&connection)
        {
            self.give(shard, Input::Closed(ConnectionId::new(connection)));
        }
        self.link_lost(connection);
    }

    fn link_lost(&mut self, connection: u64) {
        let Some(link) = self.links.remove(&connection) else { return };
        let client = link.client;
        self.connections[client] = None;
        let mut view = ViewParts {
            now: self.now,
            prng: &mut self.prng,
            model: &mut self.model,
            winding_down: self.winding_down,
        };
        self.clients[client].disconnected(&mut view.view());
        let nanos = 1_000_000 + self.prng.below(5_000_000);
        self.after(nanos, Event::Connect { client });
    }
}

/// The parts of the world that clients see.
struct ViewParts<'a> {
    now: u64,
    prng: &'a mut Prng,
    model: &'a mut Model,
    winding_down: bool,
}

impl ViewParts<'_> {
    fn view(&mut self) -> View<'_> {
        View {
            now: self.now,
            timestamp: Timestamp::new(EPOCH_MILLIS + (self.now / 1_000_000) as i64),
            prng: self.prng,
            model: self.model,
            winding_down: self.winding_down,
        }
    }
}
