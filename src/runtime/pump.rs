//! One core: drives one shard by a plain loop. What happened goes in, what is wanted is carried
//! out; nothing is decided here.

use std::collections::VecDeque;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender};
use std::time::Duration;

use rustix::net::{SocketAddrAny, SocketFlags, acceptfrom_with};

use super::blocking::for_ring;
use super::clock;
use super::log::Log;
use super::mesh::Mesh;
use super::observer::{CoreReport, Question};
use super::ring::{Completion, Ring};
use super::socket::{Moved, Socket};
use super::wake::Waker;
use super::workers::{Done, Door, Work};
use crate::io::DiskRequest;
use crate::metrics::Histogram;
use crate::shard::{Effect, Exit, Input, Shard};
use crate::types::{ConnectionId, Instant, Map, Now};

/// Tokens of what is watched beside connections; those count from above.
const TOKEN_WAKER: u64 = 0;
const TOKEN_LISTENER: u64 = 1;
const TOKEN_FIRST_CONNECTION: u64 = 2;
/// Connections accepted in one turn: others must have theirs too.
const ACCEPTS_MAX: usize = 64;
/// How soon accepting is tried again when descriptors are short and no connection is closed before:
/// files give theirs back unseen.
const ACCEPT_AGAIN: Duration = Duration::from_secs(1);
/// How often that is complained about.
const COMPLAINT: Duration = Duration::from_secs(60);

/// What a core is made with.
pub(super) struct Core {
    pub(super) shard: Shard,
    pub(super) listener: OwnedFd,
    /// Connections that it may have at the same time.
    pub(super) connections_max: usize,
    pub(super) mesh: Mesh,
    pub(super) waker: Waker,
    pub(super) door: Door,
    /// Set when the process is asked to stop.
    pub(super) stop: Arc<AtomicBool>,
    /// Told once the shard accepts connections.
    pub(super) serving: Sender<()>,
    /// Those who want to know how the core is doing.
    pub(super) questions: Receiver<Question>,
}

/// Who asked the disk: an owner and a token of the shard's.
type Name = (u32, u32);

struct Pump {
    core: Core,
    ring: Ring<Name>,
    sockets: Map<u64, Socket>,
    /// Connections that may have something to read, each once.
    ready: VecDeque<u64>,
    next_connection: u64,
    completions: Vec<Completion<Name>>,
    effects: Vec<Effect>,
    flushes: Vec<ConnectionId>,
    listening: bool,
    /// More connections may wait to be accepted than one turn takes.
    accepting: bool,
    /// Descriptors are short: when accepting is tried again at the latest.
    accept_again: Option<Instant>,
    next_complaint: Instant,
    stop_seen: bool,
    exit: Option<Exit>,
    sent_file_bytes: u64,
    /// How long turns took, without the time asleep.
    turns: Histogram,
    log: Log,
}

/// Runs a core until its shard ends.
///
/// # Errors
/// When the kernel refuses the ring, or takes it away.
pub(super) fn run(core: Core) -> io::Result<Exit> {
    let log = Log::new(core.shard.id());
    let mut pump = Pump {
        core,
        ring: Ring::new()?,
        sockets: Map::default(),
        ready: VecDeque::new(),
        next_connection: TOKEN_FIRST_CONNECTION,
        completions: Vec::new(),
        effects: Vec::new(),
        flushes: Vec::new(),
        listening: false,
        accepting: false,
        accept_again: None,
        next_complaint: Instant::new(0),
        stop_seen: false,
        exit: None,
        sent_file_bytes: 0,
        turns: Histogram::default(),
        log,
    };
    pump.ring.watch_readable(TOKEN_WAKER, pump.core.waker.descriptor());
    pump.core.shard.handle(clock::now(), Input::Start);
    pump.carry_out(clock::now());
    loop {
        pump.turn()?;
        if let Some(exit) = pump.exit {
            return Ok(exit);
        }
    }
}

impl Pump {
    fn turn(&mut self) -> io::Result<()> {
        let mut timeout = self.timeout();
        if timeout != Some(Duration::ZERO) {
            // Whatever comes from now on wakes; whatever came before is seen here.
            self.core.waker.falls_asleep();
            if self.has_work() {
                timeout = Some(Duration::ZERO);
            }
        }
        let mut completions = std::mem::take(&mut self.completions);
        self.ring.turn(timeout, &mut completions)?;
        self.core.waker.is_awake();
        let now = clock::now();
        for completion in completions.drain(..) {
            self.completed(now, completion);
        }
        self.completions = completions;
        if self.accepting || self.accept_again.is_some_and(|again| again <= now.instant) {
            self.accept(now);
        }
        while let Some((from, message)) = self.core.mesh.receive() {
            self.core.shard.handle(now, Input::Message { from, message });
        }
        while let Some(done) = self.core.door.done() {
            self.done(now, done);
        }
        for _ in 0..self.ready.len() {
            let Some(connection) = self.ready.pop_front() else { break };
            self.read(now, connection);
        }
        self.look_for_stop(now);
        self.core.shard.handle(now, Input::TurnEnded);
        self.carry_out(now);
        self.core.mesh.flush();
        self.answer_questions();
        let nanos = clock::now().instant.since(now.instant).as_nanos() as u64;
        self.turns.record(nanos);
        self.core.shard.turn_took(now, nanos);
        Ok(())
    }

    fn answer_questions(&mut self) {
        let mut report = None;
        while let Ok(question) = self.core.questions.try_recv() {
            // Whoever asked may have given up.
            match question {
                Question::Stage(answer) => drop(answer.send(self.core.shard.stage())),
                Question::Report(answer) => {
                    // One for all who ask in a turn.
                    let report = report.get_or_insert_with(|| {
                        Arc::new(CoreReport {
                            shard: self.core.shard.report(),
                            turns: self.turns.clone(),
                            sent_file_bytes: self.sent_file_bytes,
                        })
                    });
                    drop(answer.send(Arc::clone(report)));
                }
            }
        }
    }

    fn has_work(&mut self) -> bool {
        let stop = self.core.stop.load(Ordering::SeqCst) && !self.stop_seen;
        stop || self.accepting || self.core.mesh.has_work() || self.core.door.has_work()
    }

    fn timeout(&mut self) -> Option<Duration> {
        if !self.ready.is_empty() || self.has_work() {
            return Some(Duration::ZERO);
        }
        let deadline = self.core.shard.deadline().into_iter().chain(self.accept_again).min()?;
        Some(deadline.since(clock::now().instant))
    }

    fn look_for_stop(&mut self, now: Now) {
        if !self.stop_seen && self.core.stop.load(Ordering::SeqCst) {
            self.stop_seen = true;
            self.core.shard.handle(now, Input::Stop);
        }
    }

    fn completed(&mut self, now: Now, completion: Completion<Name>) {
        match completion {
            Completion::Disk((owner, token), result) => {
                self.core.shard.handle(now, Input::Disk { owner, token, result });
            }
            Completion::Readable(TOKEN_WAKER) => self.core.waker.clear(),
            Completion::Readable(TOKEN_LISTENER) => self.accepting = self.listening,
            Completion::Readable(connection) => self.make_ready(connection),
            Completion::Ended(connection) => {
                self.ended(connection, false);
                self.core.shard.handle(now, Input::Ended(ConnectionId::new(connection)));
            }
            Completion::Gone(connection) => self.ended(connection, true),
            Completion::Writable(connection) => self.unblock(now, connection),
        }
    }

    fn done(&mut self, now: Now, done: Done) {
        let input = match done {
            Done::Disk { owner, token, result } => Input::Disk { owner, token, result },
            Done::Job { id, reply, result } => Input::Computed { id, reply, result },
            Done::Warm { connection } => return self.unblock(now, connection),
        };
        self.core.shard.handle(now, input);
    }

    fn unblock(&mut self, now: Now, connection: u64) {
        if let Some(socket) = self.sockets.get_mut(&connection) {
            socket.blocked = false;
            self.flush(now, connection);
        }
    }

    fn ended(&mut self, connection: u64, gone: bool) {
        if let Some(socket) = self.sockets.get_mut(&connection) {
            socket.ended = true;
            socket.gone |= gone;
        }
        self.make_ready(connection);
    }

    fn make_ready(&mut self, connection: u64) {
        if let Some(socket) = self.sockets.get_mut(&connection)
            && !socket.ready
        {
            socket.ready = true;
            self.ready.push_back(connection);
        }
    }

    fn accept(&mut self, now: Now) {
        self.accepting = false;
        self.accept_again = None;
        for _ in 0..ACCEPTS_MAX {
            if self.sockets.len() >= self.core.connections_max {
                return self.accept_later(now, "the connections that `ulimit -n` allows");
            }
            let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
            let accepted = acceptfrom_with(self.core.listener.as_fd(), flags);
            let (descriptor, address) = match accepted {
                Ok(accepted) => accepted,
                Err(rustix::io::Errno::AGAIN) => return,
                // The client has gone: others wait behind it.
                Err(rustix::io::Errno::CONNABORTED | rustix::io::Errno::INTR) => continue,
                Err(error) => return self.accept_later(now, error),
            };
            // Small responses must not wait for the client's acknowledgement of the last.
            let _ = rustix::net::sockopt::set_tcp_nodelay(&descriptor, true);
            let token = self.next_connection;
            self.next_connection += 1;
            let socket = Socket::new(descriptor);
            self.ring.watch_readable(token, socket.raw());
            self.sockets.insert(token, socket);
            let connection = ConnectionId::new(token);
            self.core.shard.handle(now, Input::Opened { connection, peer: peer_of(address) });
        }
        // More may wait: the poll reports only new arrivals.
        self.accepting = true;
    }

    /// Leaves those who connect with the kernel for a while: nothing would be gained by trying on.
    fn accept_later(&mut self, now: Now, why: impl std::fmt::Display) {
        self.accept_again = Some(now.instant.after(ACCEPT_AGAIN));
        if now.instant >= self.next_complaint {
            self.next_complaint = now.instant.after(COMPLAINT);
            let connections = self.sockets.len();
            tracing::warn!(connections, "no more connections for now: {why}");
        }
    }

    /// Reads once from a connection. One that filled the space gets its turn again after others.
    fn read(&mut self, now: Now, token: u64) {
        let Some(socket) = self.sockets.get_mut(&token) else { return };
        socket.ready = false;
        let connection = ConnectionId::new(token);
        let Some(space) = self.core.shard.space(connection) else {
            // What it waits for would bring an answer that nobody hears.
            if socket.gone {
                self.core.shard.handle(now, Input::Closed(connection));
                self.close(token);
            }
            return;
        };
        let wanted = space.len();
        match socket.receive(space) {
            Moved::Bytes(bytes) => {
                self.core.shard.handle(now, Input::Received { connection, bytes });
                self.flush_all(now);
                let ended = self.sockets.get(&token).is_some_and(|socket| socket.ended);
                if bytes == wanted || ended {
                    self.make_ready(token);
                }
            }
            Moved::Gone => {
                self.core.shard.handle(now, Input::Closed(connection));
                self.close(token);
            }
            Moved::Blocked | Moved::FileBytes(_) | Moved::Cold { .. } => {}
        }
    }

    fn flush_all(&mut self, now: Now) {
        let mut flushes = std::mem::take(&mut self.flushes);
        self.core.shard.take_flushes(&mut flushes);
        for connection in flushes.drain(..) {
            self.flush(now, connection.get());
        }
        self.flushes = flushes;
    }

    /// Sends what a connection has to send, until it is sent or the client does not take more.
    fn flush(&mut self, now: Now, token: u64) {
        let connection = ConnectionId::new(token);
        loop {
            let Some(socket) = self.sockets.get_mut(&token) else { return };
            let Some(outbox) = self.core.shard.outbox(connection) else { return };
            if socket.blocked || outbox.is_empty() {
                return;
            }
            match socket.send(outbox) {
                Moved::Bytes(bytes) => {
                    let bytes = bytes as u64;
                    self.core.shard.handle(now, Input::Sent { connection, bytes });
                }
                Moved::FileBytes(bytes) => {
                    let bytes = bytes as u64;
                    self.sent_file_bytes += bytes;
                    self.core.shard.handle(now, Input::Sent { connection, bytes });
                }
                Moved::Blocked => {
                    socket.blocked = true;
                    self.ring.watch_writable(token, socket.raw());
                    return;
                }
                Moved::Cold { file, position, len } => {
                    socket.blocked = true;
                    let work = Work::Warm { connection: token, file, position, len };
                    self.core.door.order(work);
                    return;
                }
                Moved::Gone => {
                    self.core.shard.handle(now, Input::Closed(connection));
                    return self.close(token);
                }
            }
        }
    }

    fn close(&mut self, token: u64) {
        if self.sockets.remove(&token).is_some() {
            self.ring.unwatch(token);
            self.accepting |= self.accept_again.take().is_some();
        }
    }

    /// Carries out everything that the shard wants, and what follows from that.
    fn carry_out(&mut self, now: Now) {
        loop {
            self.flush_all(now);
            let mut effects = std::mem::take(&mut self.effects);
            self.core.shard.take_effects(&mut effects);
            if effects.is_empty() {
                self.effects = effects;
                return;
            }
            for effect in effects.drain(..) {
                self.effect(now, effect);
            }
            self.effects = effects;
        }
    }

    fn effect(&mut self, now: Now, effect: Effect) {
        match effect {
            Effect::Close(connection) => self.close(connection.get()),
            Effect::Resume(connection) => self.make_ready(connection.get()),
            Effect::Disk(DiskRequest { owner, token, op }) => match for_ring(op) {
                Ok(op) => self.ring.start((owner, token), op),
                Err(op) => self.core.door.order(Work::Disk { owner, token, op }),
            },
            Effect::Send { to, message } => self.core.mesh.send(to, message),
            Effect::Log(event) => self.log.write(now.instant, event),
            Effect::Compute(job) => self.core.door.order(Work::Job(job)),
            Effect::Listen => {
                self.listening = true;
                self.ring.watch_readable(TOKEN_LISTENER, self.core.listener.as_raw_fd());
                // Nobody listens any more only when the process is ending.
                let _ = self.core.serving.send(());
            }
            Effect::StopListening if self.listening => {
                self.listening = false;
                self.accepting = false;
                self.accept_again = None;
                self.ring.unwatch(TOKEN_LISTENER);
            }
            Effect::StopListening => {}
            Effect::Exit(exit) => self.exit = Some(exit),
        }
    }
}

/// Where a client is. Without an address, which no TCP socket is, the unspecified one.
fn peer_of(address: Option<SocketAddrAny>) -> IpAddr {
    let address = address.and_then(|address| SocketAddr::try_from(address).ok());
    address.map_or(Ipv4Addr::UNSPECIFIED.into(), |address| address.ip().to_canonical())
}
