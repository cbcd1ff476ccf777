//! What clients can make the broker hold: bounded, whatever they announce, send or do not read.

use std::io::Read as _;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

use millstream::protocol::messages::fetch::{FetchPartition, FetchRequest, FetchTopic};
use millstream::protocol::messages::list_offsets::{
    ListOffsetsPartition, ListOffsetsRequest, ListOffsetsTopic,
};
use millstream::protocol::messages::metadata::MetadataRequest;
use millstream::protocol::{Array, ErrorCode};
use millstream::record::{Codec, Compression, compress};

use crate::batches::{MAX_TIMESTAMP, Plain, record, record_later};
use crate::broker::Broker;
use crate::client::{Client, Heard, request, with_fetch, with_produce};

const MIB: u64 = 1 << 20;

/// What a shard lets requests hold together, in the binary as it is started here.
const REQUEST_MEMORY_BYTES: u64 = 512 * MIB;

#[test]
fn a_thousand_connections_that_announce_much_cost_nothing() {
    let broker = Broker::start();
    broker.is_well();
    let before = broker.resident_bytes();
    let announced = (100u32 << 20).to_be_bytes();
    let clients: Vec<Client> = (0..1000)
        .map(|_| {
            let mut client = Client::connect(&broker);
            client.send(&announced);
            client
        })
        .collect();
    broker.is_well();
    let grown = broker.resident_bytes().saturating_sub(before);
    assert!(grown < 32 * MIB, "{grown} bytes for {} connections", clients.len());
    drop(clients);
    broker.is_well();
}

/// Unfinished requests may fill the memory for requests, not more; small ones still pass.
#[test]
fn unfinished_requests_hold_a_bounded_amount_and_stop_nobody_else() {
    let broker = Broker::start();
    broker.is_well();
    let before = broker.resident_bytes();
    let frame = [&(100u32 << 20).to_be_bytes()[..], &vec![0; 95 << 20]].concat();
    let mut clients = Vec::new();
    for _ in 0..12 {
        let mut client = Client::connect(&broker);
        client.stream.set_write_timeout(Some(Duration::from_millis(400))).unwrap();
        // Some are not read from.
        let _ = std::io::Write::write_all(&mut client.stream, &frame);
        clients.push(client);
    }
    broker.is_well();
    let grown = broker.resident_bytes().saturating_sub(before);
    // Two connections may be beyond the bound: the favoured one, and growth by doubling.
    let bound = REQUEST_MEMORY_BYTES + 400 * MIB;
    assert!(grown < bound, "{grown} bytes");
    drop(clients);
    broker.is_well();
}

/// Clients that send their frames drop by drop hold all the memory there is, until others want it.
#[test]
fn whoever_sends_drop_by_drop_makes_way() {
    let broker = Broker::start();
    broker.is_well();
    let frame = [&(100u32 << 20).to_be_bytes()[..], &vec![0; 95 << 20]].concat();
    let mut slow = Vec::new();
    for _ in 0..6 {
        let mut client = Client::connect(&broker);
        client.stream.set_write_timeout(Some(Duration::from_millis(400))).unwrap();
        let _ = std::io::Write::write_all(&mut client.stream, &frame);
        slow.push(client);
    }
    let (enough, is_enough) = channel();
    let dripping = std::thread::spawn(move || {
        while is_enough.recv_timeout(Duration::from_secs(1)) == Err(RecvTimeoutError::Timeout) {
            for client in &mut slow {
                let _ = std::io::Write::write(&mut client.stream, &[0]);
            }
        }
    });
    let mut client = Client::connect(&broker);
    client.stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    client.stream.set_write_timeout(Some(Duration::from_secs(60))).unwrap();
    client.create_topic("large", 1, &[("max.message.bytes", "30000000")]);
    let batch = Plain::of(&[&vec![b'x'; 20_000_000]]).bytes();
    assert_eq!(client.produce("large", Some(&batch)).code, 0);
    broker.is_well();
    enough.send(()).unwrap();
    dripping.join().unwrap();
}

/// Fills a topic and gives the bytes it has.
fn fill(broker: &Broker, topic: &str, batches: usize) -> u64 {
    let mut client = Client::connect(broker);
    client.create_topic(topic, 1, &[]);
    let batch = Plain::of(&[&vec![b'x'; 1_000_000]]).bytes();
    for _ in 0..batches {
        assert_eq!(client.produce(topic, Some(&batch)).code, 0);
    }
    batch.len() as u64 * batches as u64
}

#[test]
fn readers_that_do_not_read_hold_a_bounded_amount() {
    let broker = Broker::start();
    fill(&broker, "much", 64);
    broker.is_well();
    let before = broker.resident_bytes();
    // Each asks for 40 times 50 MB, and for small things without end, and reads none of it.
    let fetch = with_fetch("much", 0, 0, |fetch| request(1, 11, fetch));
    let metadata = request(1, 9, &MetadataRequest::default());
    let mut clients = Vec::new();
    for index in 0..20 {
        let mut client = Client::connect(&broker);
        client.stream.set_write_timeout(Some(Duration::from_millis(300))).unwrap();
        let frames = if index % 2 == 0 { fetch.repeat(40) } else { metadata.repeat(200_000) };
        // The broker stops reading from those who do not read.
        let _ = std::io::Write::write_all(&mut client.stream, &frames);
        clients.push(client);
    }
    broker.is_well();
    let grown = broker.resident_bytes().saturating_sub(before);
    assert!(grown < 128 * MIB, "{grown} bytes");
    // The first who begins to read is served.
    let reader = &mut clients[0];
    for _ in 0..3 {
        // How much is in memory still, and so how much an answer brings, depends on the timing.
        assert!(reader.frame().len() > 1_000_000);
    }
    broker.is_well();
}

/// Answers behind one that waits are kept until it is their turn.
#[test]
fn answers_that_wait_for_their_turn_hold_a_bounded_amount() {
    let broker = Broker::start();
    Client::connect(&broker).create_topic("empty", 1, &[]);
    fill(&broker, "behind", 64);
    broker.is_well();
    let before = broker.resident_bytes();
    let wait = with_fetch("empty", 0, 600_000, |fetch| request(1, 11, fetch));
    let fetch = with_fetch("behind", 0, 0, |fetch| request(2, 11, fetch));
    let mut clients = Vec::new();
    for _ in 0..10 {
        let mut client = Client::connect(&broker);
        client.stream.set_write_timeout(Some(Duration::from_millis(300))).unwrap();
        let frames = [&wait[..], &fetch.repeat(120)].concat();
        let _ = std::io::Write::write_all(&mut client.stream, &frames);
        clients.push(client);
    }
    broker.is_well();
    let grown = broker.resident_bytes().saturating_sub(before);
    assert!(grown < 128 * MIB, "{grown} bytes");
    // Something arrives, and the answers come in their order.
    let batch = Plain::of(&[b"now"]).bytes();
    assert_eq!(Client::connect(&broker).produce("empty", Some(&batch)).code, 0);
    let mut id = [0; 8];
    clients[0].stream.read_exact(&mut id).unwrap();
    assert_eq!(id[4..], 1i32.to_be_bytes());
    broker.is_well();
}

/// Requests that wait have a part for each of their partitions.
#[test]
fn requests_that_wait_hold_a_bounded_amount() {
    let broker = Broker::start();
    Client::connect(&broker).create_topic("wide", 5000, &[]);
    broker.is_well();
    let partition = |partition| FetchPartition { partition, ..Default::default() };
    let partitions: Vec<FetchPartition> = (0..5000).map(partition).collect();
    let topics =
        [FetchTopic { topic: "wide", partitions: Array::new(&partitions), ..Default::default() }];
    let topics = Array::new(&topics);
    let fetch = FetchRequest {
        max_wait_ms: 600_000,
        min_bytes: 1,
        max_bytes: 1,
        session_epoch: -1,
        topics,
        ..Default::default()
    };
    let fetch = request(1, 11, &fetch);
    // What a first one takes for itself and leaves behind.
    Client::connect(&broker).send(&fetch);
    broker.is_well();
    let before = broker.resident_bytes();
    let mut client = Client::connect(&broker);
    client.stream.set_write_timeout(Some(Duration::from_millis(500))).unwrap();
    let _ = std::io::Write::write_all(&mut client.stream, &fetch.repeat(120));
    broker.is_well();
    let grown = broker.resident_bytes().saturating_sub(before);
    assert!(grown < 32 * MIB, "{grown} bytes");
}

/// The timestamp of the first record in [`bomb`].
const FIRST: i64 = 1_700_000_000_000;

/// A batch of about a megabyte or less that has this many bytes without its compression: a record
/// with all of them, and a small one five milliseconds later.
fn bomb(codec: Codec, bytes: usize) -> Vec<u8> {
    let records = [record(0, &vec![0; bytes]), record_later(5, 1, b"last")].concat();
    let mut section = Vec::new();
    compress(Compression::new(codec), &records, &mut section);
    let batch = Plain::around(2, &section).compressed_by(codec as u8);
    batch.with(MAX_TIMESTAMP, &(FIRST + 5).to_be_bytes()).bytes()
}

/// As large as fits into a batch, or into what a batch may be without its compression.
const BOMBS: [(Codec, usize); 4] =
    [(Codec::Gzip, 900), (Codec::Lz4, 200), (Codec::Zstd, 900), (Codec::Snappy, 15)];

/// Has several clients send a frame at once and gives what each hears.
fn all_at_once(broker: &Broker, frame: &[u8]) -> Vec<Heard> {
    let mut clients: Vec<Client> = (0..6).map(|_| Client::connect(broker)).collect();
    clients.iter_mut().for_each(|client| client.send(frame));
    broker.is_well();
    clients.iter_mut().map(Client::hear).collect()
}

/// Looking for a timestamp decompresses on the broker, whatever the topic: only the records tell
/// which of them it is.
#[test]
fn a_search_in_a_decompression_bomb_is_exact_and_holds_little() {
    let broker = Broker::start();
    let mut client = Client::connect(&broker);
    for (codec, mib) in BOMBS {
        let topic = format!("bomb-{}", codec as u8);
        client.create_topic(&topic, 1, &[]);
        let batch = bomb(codec, mib << 20);
        assert_eq!(client.produce(&topic, Some(&batch)).code, 0, "{codec:?} {} bytes", batch.len());
        let before = broker.resident_bytes();
        let partitions = [ListOffsetsPartition { timestamp: FIRST + 3, ..Default::default() }];
        let topics = [ListOffsetsTopic { name: &topic, partitions: Array::new(&partitions) }];
        let topics = Array::new(&topics);
        let list = ListOffsetsRequest { replica_id: -1, topics, ..Default::default() };
        all_at_once(&broker, &request(1, 5, &list));
        let found = client.ask(5, &list, |answer| {
            let topic = answer.topics.iter().next().unwrap();
            let partition = topic.partitions.iter().next().unwrap();
            (partition.error_code, partition.timestamp, partition.offset)
        });
        assert_eq!(found, (0, FIRST + 5, 1), "{codec:?}");
        let grown = broker.resident_bytes_max().saturating_sub(before);
        // A block of Snappy is held whole, and with each of them the batch itself.
        assert!(grown < 96 * MIB, "{codec:?}: {grown} bytes");
        broker.is_well();
    }
}

/// Bombs that are looked into when they are produced: all of them with `produce.validation`, and
/// where the topic wants another codec.
#[test]
fn producing_decompression_bombs_holds_little() {
    let broker = Broker::start_with(&["produce.validation=full"]);
    let mut client = Client::connect(&broker);
    client.create_topic("kept", 1, &[]);
    for (codec, mib) in BOMBS.into_iter().chain([(Codec::Zstd, 32)]) {
        let wanted = if codec == Codec::Zstd { "gzip" } else { "zstd" };
        client.create_topic(wanted, 1, &[("compression.type", wanted)]);
        let batch = bomb(codec, mib << 20);
        for topic in ["kept", wanted] {
            let before = broker.resident_bytes();
            let frame = with_produce(topic, Some(&batch), |produce| request(1, 9, produce));
            all_at_once(&broker, &frame);
            let produced = client.produce(topic, Some(&batch));
            // What is brought into another codec is held whole, so it may not be as large.
            let refused = topic == wanted && mib > 16;
            let code = if refused { ErrorCode::MessageTooLarge.code() } else { 0 };
            assert_eq!(produced.code, code, "{codec:?} to {topic}");
            let grown = broker.resident_bytes_max().saturating_sub(before);
            assert!(grown < 256 * MIB, "{codec:?} of {mib} MiB: {grown} bytes");
            broker.is_well();
        }
    }
}

/// Batches that arrive faster than they are brought into the topic's codec: with 64 MiB, of which
/// 4 MiB are for batches on their way, clients send 300 MB.
#[test]
fn batches_that_wait_for_a_job_hold_a_bounded_amount() {
    let broker = Broker::start_with(&["memory.bytes=67108864"]);
    let settings = [("compression.type", "gzip"), ("compression.gzip.level", "9")];
    Client::connect(&broker).create_topic("slow", 1, &settings);
    broker.is_well();
    let before = broker.resident_bytes();
    let mut dice = millstream::prng::Prng::new(1);
    let noise: Vec<u8> = (0..900_000).map(|_| dice.below(200) as u8).collect();
    let batch = Plain::of(&[&noise]).bytes();
    let frame = with_produce("slow", Some(&batch), |produce| request(1, 9, produce));
    std::thread::scope(|scope| {
        for _ in 0..40 {
            scope.spawn(|| {
                let mut client = Client::connect(&broker);
                for timeout in
                    [client.stream.set_read_timeout(None), client.stream.set_write_timeout(None)]
                {
                    timeout.unwrap();
                }
                client.send(&frame.repeat(8));
                (0..8).for_each(|_| assert!(!client.frame().is_empty()));
            });
        }
    });
    let grown = broker.resident_bytes_max().saturating_sub(before);
    assert!(grown < 160 * MIB, "{grown} bytes");
    broker.is_well();
}

/// Decompression that is ordered without end keeps busy who orders it; files are opened meanwhile.
#[test]
fn a_flood_of_decompression_bombs_keeps_nobody_from_the_disk() {
    let broker = Broker::start();
    let mut client = Client::connect(&broker);
    client.create_topic("flood", 1, &[]);
    assert_eq!(client.produce("flood", Some(&bomb(Codec::Gzip, 60 << 20))).code, 0);
    let partitions = [ListOffsetsPartition { timestamp: 1_600_000_000_000, ..Default::default() }];
    let topics = [ListOffsetsTopic { name: "flood", partitions: Array::new(&partitions) }];
    let topics = Array::new(&topics);
    let list = ListOffsetsRequest { replica_id: -1, topics, ..Default::default() };
    let list = request(1, 5, &list).repeat(128);
    let mut clients: Vec<Client> = (0..20).map(|_| Client::connect(&broker)).collect();
    clients.iter_mut().for_each(|client| client.send(&list));
    std::thread::sleep(Duration::from_millis(100));
    let start = std::time::Instant::now();
    // The write-ahead log goes on in new files.
    fill(&broker, "beside", 200);
    assert!(start.elapsed() < Duration::from_secs(15), "{:?}", start.elapsed());
}
