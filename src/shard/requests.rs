//! Bytes of clients become requests, requests become responses.

use super::connections::Connection;
use super::{Effect, Shard};
use crate::connection::{FrameError, Received, Response, Turn, next_frame, write_out};
use crate::handlers::{self, Asked, Handled, Kind, Operation, OperationId, Settled};
use crate::metrics::Mark;
use crate::protocol::ApiKey;
use crate::trace::Event;
use crate::types::{ConnectionId, Now};

/// What became of a frame.
enum Flow {
    /// It is done with: on to the next.
    Next,
    /// It has to come again.
    Again,
    /// The connection is gone.
    Gone,
}

/// A command is so many times as large as its request: few bytes name a thing with many fields.
const COMMAND_TIMES: usize = 8;

impl Shard {
    pub(super) fn received(&mut self, now: Now, connection: ConnectionId, bytes: usize) {
        let Some(open) = self.connections.get_mut(connection) else { return };
        open.touch(now.instant);
        self.metrics.received_bytes += bytes as u64;
        match open.inbox.received(bytes) {
            Received::Shared(filled) => {
                let shared = std::mem::take(&mut self.shared);
                let handled = self.requests(now, connection, &shared[..filled]);
                if let Some(open) = self.connections.get_mut(connection) {
                    let before = open.inbox.capacity_bytes();
                    open.inbox.keep(&shared[handled..filled]);
                    let after = open.inbox.capacity_bytes();
                    self.connections.permits.changed(before, after);
                }
                self.shared = shared;
                if handled > 0 {
                    self.frame_done(now, connection);
                }
            }
            Received::Own => self.requests_held(now, connection),
        }
        if let Some(open) = self.connections.get(connection) {
            let incomplete = open.inbox.held_bytes() > 0 && open.inbox.missing_bytes() > 0;
            self.connections.permits.holds(connection, incomplete, now.instant);
        }
    }

    /// The memory of a frame that was handled is for others.
    fn frame_done(&mut self, now: Now, connection: ConnectionId) {
        self.connections.permits.done(connection);
        self.wake_permits(now);
    }

    /// Handles the requests that a connection holds.
    fn requests_held(&mut self, now: Now, connection: ConnectionId) {
        let Some(open) = self.connections.get_mut(connection) else { return };
        let (storage, held) = open.inbox.take();
        let capacity = storage.capacity();
        let handled = self.requests(now, connection, &storage[..held]);
        match self.connections.get_mut(connection) {
            Some(open) => {
                open.inbox.put_back(storage, held, handled);
                let after = open.inbox.capacity_bytes();
                self.connections.permits.changed(capacity, after);
            }
            None => self.connections.permits.changed(capacity, 0),
        }
        if handled > 0 {
            self.frame_done(now, connection);
        }
    }

    /// Handles every complete request in `bytes`, as far as the connection may; answers how many
    /// bytes are done with.
    fn requests(&mut self, now: Now, connection: ConnectionId, bytes: &[u8]) -> usize {
        let bytes_max = self.parts.settings.network.request_bytes_max;
        let mut handled = 0;
        while self.connections.get(connection).is_some_and(Connection::is_open) {
            let frame = match next_frame(&bytes[handled..], bytes_max) {
                Ok(Some(frame)) => frame,
                Ok(None) => break,
                Err(error) => {
                    self.refuse_frame(now, connection, error);
                    break;
                }
            };
            let end = handled + frame.end;
            match self.request(now, connection, &bytes[handled..][frame]) {
                Flow::Next => handled = end,
                Flow::Again | Flow::Gone => break,
            }
        }
        handled
    }

    fn refuse_frame(&mut self, now: Now, connection: ConnectionId, error: FrameError) {
        let reason = match error {
            FrameError::Length(_) => "a frame of no length",
            FrameError::TooLong { .. } => "a frame above socket.request.max.bytes",
        };
        self.refuse(now, connection, reason);
    }

    fn refuse(&mut self, now: Now, connection: ConnectionId, reason: &'static str) {
        self.effects.push(Effect::Log(Event::ConnectionRefused { connection, reason }));
        self.close_when_answered(now, connection);
    }

    fn request(&mut self, now: Now, connection: ConnectionId, frame: &[u8]) -> Flow {
        let (asked, body) = match Asked::split(frame) {
            Ok(split) => split,
            Err(reason) => {
                self.refuse(now, connection, reason);
                return Flow::Gone;
            }
        };
        let Some(open) = self.connections.get_mut(connection) else { return Flow::Gone };
        let peer = open.peer;
        let operation = self.operations.next_id();
        let fetch_bytes_max = self.fetch_bytes_max(&asked);
        let mut context = self.parts.context(now, operation);
        context.fetch_bytes_max = fetch_bytes_max;
        let handled = handlers::handle(&mut context, &asked, body, peer);
        if !matches!(handled, Handled::NoRoom | Handled::Close(_)) {
            self.charge_request(now, connection, &asked, frame.len());
        }
        let Some(open) = self.connections.get_mut(connection) else { return Flow::Gone };
        match handled {
            Handled::Responded => {
                let turn = open.pipeline.begin();
                self.metrics.answered(asked.api.key(), 0);
                self.respond(now, connection, turn, asked.api);
            }
            Handled::Silent => {
                self.metrics.answered(asked.api.key(), 0);
                self.throttle_silently(now, connection, asked.api);
            }
            Handled::Pending(kind) => {
                let turn = open.pipeline.begin();
                let memory_bytes = kind.memory_bytes().unwrap_or(COMMAND_TIMES * frame.len());
                self.wait(now, connection, turn, &asked, kind, memory_bytes);
            }
            Handled::NoRoom => {
                open.paused.room = true;
                open.asleep = true;
                self.connections.without_room.push(connection);
                return Flow::Again;
            }
            Handled::Close(reason) => {
                self.refuse(now, connection, reason);
                return Flow::Gone;
            }
        }
        Flow::Next
    }

    fn wait(
        &mut self,
        now: Now,
        connection: ConnectionId,
        turn: Turn,
        asked: &Asked<'_>,
        kind: Kind,
        memory_bytes: usize,
    ) {
        let deadline = Operation::due(&kind);
        let Asked { api, version, correlation_id, .. } = *asked;
        let operation = Operation {
            connection,
            api,
            begun: now.instant,
            turn,
            correlation_id,
            version,
            memory_bytes,
            deadline,
            kind,
        };
        let id = self.operations.insert(operation);
        let open = self.connections.get_mut(connection).expect("its request is being handled");
        open.waiting.push(id);
        open.waiting_bytes += memory_bytes;
    }

    /// Sends the responder's frame as the answer to the request at `turn`.
    fn respond(&mut self, now: Now, connection: ConnectionId, turn: Turn, api: ApiKey) {
        self.throttle_answer(now, connection, api);
        let responder = &mut self.parts.responder;
        self.metrics.failed(responder.error_codes());
        let mark = Mark { api: api.key(), ready: now.instant };
        let Some(open) = self.connections.get_mut(connection) else { return };
        let inserted = responder.take_parts();
        if open.pipeline.is_next(turn) {
            write_out(mark, responder.bytes(), inserted, &mut open.outbox);
            open.pipeline.answered(turn, &mut open.outbox);
        } else {
            let response = Response { mark, bytes: responder.bytes().to_vec(), inserted };
            open.pipeline.respond(turn, Some(response), &mut open.outbox);
        }
        self.flush(connection);
    }

    fn flush(&mut self, connection: ConnectionId) {
        let Some(open) = self.connections.get_mut(connection) else { return };
        if !open.flushing && !open.outbox.is_empty() {
            open.flushing = true;
            self.flushes.push(connection);
        }
    }

    /// Carries on with what became of a waiting request.
    pub(super) fn settled(&mut self, now: Now, id: OperationId, settled: Settled) {
        if settled == Settled::Waiting {
            return;
        }
        let operation = self.operations.remove(id).expect("it has just been settled");
        let Operation { connection, turn, memory_bytes, api, begun, .. } = operation;
        self.metrics.answered(api.key(), now.instant.get().saturating_sub(begun.get()));
        let Some(open) = self.connections.get_mut(connection) else { return };
        open.waiting.retain(|waiting| *waiting != id);
        open.waiting_bytes -= memory_bytes;
        match settled {
            Settled::Waiting => unreachable!("handled above"),
            Settled::Responded => self.respond(now, connection, turn, api),
            Settled::Silent => {
                open.pipeline.respond(turn, None, &mut open.outbox);
                self.flush(connection);
                self.throttle_silently(now, connection, api);
            }
            Settled::Close(reason) => {
                open.pipeline.respond(turn, None, &mut open.outbox);
                self.flush(connection);
                return self.refuse(now, connection, reason);
            }
        }
        self.close_if_answered(now, connection);
        self.resume(now, connection);
    }

    pub(super) fn sent(&mut self, now: Now, connection: ConnectionId, bytes: u64) {
        let Some(open) = self.connections.get_mut(connection) else { return };
        open.touch(now.instant);
        open.outbox.sent(bytes);
        self.metrics.sent_bytes += bytes;
        while let Some(mark) = open.outbox.take_sent_mark() {
            self.metrics.sent(mark, now.instant);
        }
        self.close_if_answered(now, connection);
        self.resume(now, connection);
    }

    /// Goes on with a connection that was not read from, if nothing stands against it any more.
    pub(super) fn resume(&mut self, now: Now, connection: ConnectionId) {
        let Some(open) = self.connections.get_mut(connection) else { return };
        if !open.is_open() || (!open.asleep && open.inbox.held_bytes() == 0) {
            return;
        }
        if open.inbox.held_bytes() > 0 && open.inbox.missing_bytes() == 0 {
            self.requests_held(now, connection);
        }
        let Some(open) = self.connections.get_mut(connection) else { return };
        if open.asleep && open.is_open() {
            open.asleep = false;
            self.effects.push(Effect::Resume(connection));
        }
    }

    /// The store has room again.
    pub(super) fn wake_without_room(&mut self, now: Now) {
        for connection in std::mem::take(&mut self.connections.without_room) {
            if let Some(open) = self.connections.get_mut(connection) {
                open.paused.room = false;
            }
            self.resume(now, connection);
        }
    }

    fn wake_permits(&mut self, now: Now) {
        while let Some(connection) = self.connections.permits.take_waiting() {
            let Some(open) = self.connections.get_mut(connection) else { continue };
            open.paused.permit = false;
            self.connections.permits.holds(connection, true, now.instant);
            self.resume(now, connection);
        }
    }

    /// Closes a connection whose client is none, but answers first what it asked before that.
    fn close_when_answered(&mut self, now: Now, connection: ConnectionId) {
        if let Some(open) = self.connections.get_mut(connection) {
            open.closing = true;
        }
        self.close_if_answered(now, connection);
    }

    fn close_if_answered(&mut self, now: Now, connection: ConnectionId) {
        let answered = self
            .connections
            .get(connection)
            .is_some_and(|open| open.closing && open.pipeline.is_empty() && open.outbox.is_empty());
        if answered {
            self.close(now, connection);
        }
    }

    pub(super) fn close(&mut self, now: Now, connection: ConnectionId) {
        if self.connections.get(connection).is_some() {
            self.effects.push(Effect::Close(connection));
            self.closed(now, connection);
        }
    }

    pub(super) fn closed(&mut self, now: Now, connection: ConnectionId) {
        let Some(closed) = self.connections.remove(connection) else { return };
        self.forget_muted(connection, closed.muted_until);
        for id in closed.waiting {
            if let Some(mut operation) = self.operations.remove(id) {
                operation.abandon(&mut self.parts.context(now, id));
            }
        }
        self.wake_permits(now);
    }

    pub(super) fn look_again(&mut self, now: Now, id: OperationId) {
        let Some(operation) = self.operations.get_mut(id) else { return };
        let settled = operation.look_again(&mut self.parts.context(now, id));
        self.settled(now, id, settled);
    }
}
