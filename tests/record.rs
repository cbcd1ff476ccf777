//! Record batches seen from outside: by Kafka's own classes, and by the allocator.

#[path = "record/allocation.rs"]
mod allocation;
#[path = "record/describe.rs"]
mod describe;
#[path = "record/kafka.rs"]
mod kafka;
