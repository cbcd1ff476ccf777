//! One wait-free queue for each pair of cores.

use std::collections::VecDeque;

use rtrb::{Consumer, Producer, RingBuffer};

use super::wake::Waker;
use crate::shard::Message;
use crate::types::ShardId;

/// Messages that may wait in one queue; more wait with the sender.
const QUEUE_LEN: usize = 1024;

/// A core's ends of all its queues.
#[derive(Debug)]
pub(super) struct Mesh {
    shard: ShardId,
    outgoing: Vec<Producer<Message>>,
    incoming: Vec<Consumer<Message>>,
    /// Messages for which the queue had no room, and those to the core itself.
    waiting: Vec<VecDeque<Message>>,
    wakers: Vec<Waker>,
}

impl Mesh {
    /// The ends of every core; `wakers` wake them.
    pub(super) fn new(wakers: &[Waker]) -> Vec<Self> {
        let count = wakers.len();
        let mut meshes: Vec<Self> = (0..count)
            .map(|index| Self {
                shard: ShardId::new(u16::try_from(index).expect("few cores")),
                outgoing: Vec::new(),
                incoming: Vec::new(),
                waiting: (0..count).map(|_| VecDeque::new()).collect(),
                wakers: wakers.to_vec(),
            })
            .collect();
        for from in 0..count {
            for to in 0..count {
                let (producer, consumer) = RingBuffer::new(QUEUE_LEN);
                meshes[from].outgoing.push(producer);
                meshes[to].incoming.push(consumer);
            }
        }
        meshes
    }

    /// Sends a message; it is seen after [`Mesh::flush`] at the latest.
    pub(super) fn send(&mut self, to: ShardId, message: Message) {
        self.waiting[to.index()].push_back(message);
    }

    /// Hands over what waits, and wakes whom it is for.
    pub(super) fn flush(&mut self) {
        for (to, waiting) in self.waiting.iter_mut().enumerate() {
            if waiting.is_empty() || to == self.shard.index() {
                continue;
            }
            while let Some(message) = waiting.pop_front() {
                if let Err(rtrb::PushError::Full(message)) = self.outgoing[to].push(message) {
                    waiting.push_front(message);
                    break;
                }
            }
            self.wakers[to].wake();
        }
    }

    /// The next message, and who sent it.
    pub(super) fn receive(&mut self) -> Option<(ShardId, Message)> {
        let own = self.shard.index();
        if let Some(message) = self.waiting[own].pop_front() {
            return Some((self.shard, message));
        }
        let arrived = self.incoming.iter_mut().enumerate();
        arrived.into_iter().find_map(|(from, queue)| {
            let message = queue.pop().ok()?;
            Some((ShardId::new(u16::try_from(from).expect("few cores")), message))
        })
    }

    /// Whether anything waits to be received or handed over.
    pub(super) fn has_work(&self) -> bool {
        self.waiting.iter().any(|waiting| !waiting.is_empty())
            || self.incoming.iter().any(|queue| !queue.is_empty())
    }
}
