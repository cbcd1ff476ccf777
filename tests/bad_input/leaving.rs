//! Clients that leave, and clients for whom there is no descriptor.

use std::time::Duration;

use millstream::protocol::messages::metadata::MetadataRequest;
use millstream::protocol::messages::produce::ProduceRequest;
use rustix::net::sockopt::set_socket_linger;

use crate::batches::Plain;
use crate::broker::Broker;
use crate::client::{Client, Heard, eventually, request, with_fetch, with_produce};

/// More than a connection may have waiting.
const MANY: usize = 300;

#[test]
fn clients_that_reset_what_is_not_read_from_are_let_go() {
    let broker = Broker::start();
    Client::connect(&broker).create_topic("empty", 1, &[]);
    broker.is_well();
    let before = broker.sockets();
    let wait = with_fetch("empty", 0, 600_000, |fetch| request(1, 11, fetch));
    for _ in 0..20 {
        let mut client = Client::connect(&broker);
        client.send(&wait.repeat(MANY));
        // Until the broker reads no more.
        std::thread::sleep(Duration::from_millis(20));
        set_socket_linger(&client.stream, Some(Duration::ZERO)).unwrap();
    }
    eventually("sockets are closed", || broker.sockets() <= before);
    broker.is_well();
}

#[test]
fn what_a_producer_sent_without_wanting_an_answer_is_kept_when_it_leaves() {
    let broker = Broker::start();
    Client::connect(&broker).create_topic("unanswered", 1, &[]);
    let batch = Plain::of(&[b"value"]).bytes();
    let produce = with_produce("unanswered", Some(&batch), |produce| {
        request(1, 9, &ProduceRequest { acks: 0, ..*produce })
    });
    let mut client = Client::connect(&broker);
    client.send(&produce.repeat(10 * MANY));
    drop(client);
    let mut reader = Client::connect(&broker);
    let last = 10 * MANY as i64 - 1;
    eventually("all are there", || reader.high_watermark("unanswered") == last + 1);
}

#[test]
fn good_requests_in_front_of_bad_ones_are_answered_when_they_are_ready() {
    let broker = Broker::start();
    let mut client = Client::connect(&broker);
    client.create_topic("ready", 1, &[]);
    let batch = Plain::of(&[b"value"]).bytes();
    let produce = with_produce("ready", Some(&batch), |produce| request(5, 9, produce));
    let wait = with_fetch("ready", 1000, 300, |fetch| request(6, 11, fetch));
    let wait = [&wait[..], &request(7, 9, &MetadataRequest::default())].concat();
    let unknown = [0, 0, 0, 8, 0x7f, 0xff, 0, 0, 0, 0, 0, 1];
    for bad in [&(-1i32).to_be_bytes()[..], &unknown, &[0x7f; 100]] {
        client.send(&[&produce[..], &wait, bad].concat());
        for id in 5..8 {
            assert_eq!(client.frame()[..4], i32::to_be_bytes(id), "before {bad:02x?}");
        }
        assert_eq!(client.hear(), Heard::Closed);
        client = Client::connect(&broker);
    }
    broker.is_well();
}

#[test]
fn a_broker_without_descriptors_rests_and_goes_on_when_there_are_some() {
    let broker = Broker::start_with_descriptors(100);
    let mut first = Client::connect(&broker);
    first.create_topic("before", 1, &[]);
    let mut clients: Vec<Client> = (0..150).map(|_| Client::connect(&broker)).collect();
    std::thread::sleep(Duration::from_millis(300));
    let before = broker.processor_ticks();
    std::thread::sleep(Duration::from_secs(3));
    let used = broker.processor_ticks() - before;
    assert!(used < 50, "{used} hundredths of a second, with nothing to do");
    // Files have theirs.
    first.create_topic("meanwhile", 1, &[]);
    let batch = Plain::of(&[b"value"]).bytes();
    assert_eq!(first.produce("meanwhile", Some(&batch)).code, 0);
    // The last ones wait for those in front of them.
    let versions = request(1, 9, &MetadataRequest::default());
    let mut last = clients.pop().unwrap();
    last.send(&versions);
    drop(clients);
    assert!(matches!(last.hear(), Heard::Frame(_)));
    broker.is_well();
}
