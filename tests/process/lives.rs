//! One directory, many lives of the broker, each ended by force while clients work. After each, all
//! that was acknowledged before is there.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use millstream::prng::Prng;

use crate::Scratch;
use crate::broker::{Broker, text};
use crate::consumer::Consumer;
use crate::disk::Disk;
use crate::mount::Mount;
use crate::producer::{Producer, Shape};
use crate::wire::{Broken, create_topic};

const KILLS: u32 = 50;
const CUTS: u32 = 50;
const PRODUCERS: u32 = 4;
const PARTITIONS: i32 = 6;
const TOPIC: &str = "lives";
const CORES: [u16; 3] = [1, 2, 4];
const DISK_BYTES: u64 = 1 << 30;
const SHAPE: Shape = Shape { records_max: 5, filler_bytes_max: 1500 };

/// The clients, through all lives.
struct Clients {
    producers: Vec<Producer>,
    consumer: Consumer,
}

/// The clients at work.
struct Running {
    stop: Arc<AtomicBool>,
    producers: Vec<JoinHandle<(Producer, Result<(), String>)>>,
    consumer: JoinHandle<(Consumer, Result<(), String>)>,
}

impl Clients {
    fn new(seed: u64) -> Self {
        let producer = |client| Producer::new(client, TOPIC, PARTITIONS, SHAPE, seed);
        Self {
            producers: (0..PRODUCERS).map(producer).collect(),
            consumer: Consumer::new(TOPIC, PARTITIONS),
        }
    }

    fn start(self, address: std::net::SocketAddr) -> Running {
        let stop = Arc::new(AtomicBool::new(false));
        let produce = |mut producer: Producer| {
            let stop = Arc::clone(&stop);
            std::thread::spawn(move || {
                let result = producer.run(address, &stop);
                (producer, result)
            })
        };
        let producers = self.producers.into_iter().map(produce).collect();
        let (mut consumer, stopped) = (self.consumer, Arc::clone(&stop));
        let consumer = std::thread::spawn(move || {
            let result = watch(&mut consumer, address, &stopped);
            (consumer, result)
        });
        Running { stop, producers, consumer }
    }

    fn acknowledged_records(&self) -> u64 {
        self.producers.iter().map(Producer::acknowledged_records).sum()
    }

    fn check(&mut self, address: std::net::SocketAddr, complete: bool) -> Result<u64, String> {
        self.consumer.read_all(address).map_err(text)?;
        self.consumer.verify(&self.producers, complete)
    }
}

/// Reads again and again while others write: what is shown once must stay.
fn watch(
    consumer: &mut Consumer,
    address: std::net::SocketAddr,
    stop: &AtomicBool,
) -> Result<(), String> {
    while !stop.load(Ordering::Relaxed) {
        match consumer.read_all(address) {
            Ok(()) | Err(Broken::Connection(_)) => {}
            Err(Broken::Wrong(why)) => return Err(why),
        }
        std::thread::sleep(Duration::from_millis(30));
    }
    Ok(())
}

impl Running {
    fn end(self) -> Result<Clients, String> {
        self.stop.store(true, Ordering::Relaxed);
        let mut ended = Vec::new();
        let mut failure = None;
        for thread in self.producers {
            let (producer, result) = thread.join().map_err(|_| "a producer panicked")?;
            failure = failure.or(result.err());
            ended.push(producer);
        }
        let (consumer, result) = self.consumer.join().map_err(|_| "a consumer panicked")?;
        failure = failure.or(result.err());
        failure.map_or(Ok(Clients { producers: ended, consumer }), Err)
    }
}

/// What ends a life.
trait End {
    /// Where the broker's directory is during the next life.
    fn directory(&self) -> PathBuf;
    /// Ends it.
    fn end(&mut self, broker: Broker, prng: &mut Prng) -> Result<(), String>;
}

/// What has happened in all lives.
#[derive(Default)]
struct Sum {
    ends: u32,
    in_start: u32,
    checked: u64,
}

fn live(scratch: &Scratch, end: &mut impl End, ends: u32, seed: u64) -> Result<String, String> {
    let mut prng = Prng::new(seed);
    let mut clients = Clients::new(seed);
    let mut sum = Sum::default();
    let log = scratch.path("broker.log");
    let broker = Broker::start(&end.directory(), 2, &log)?;
    let settings = [("segment.bytes", "1048576")];
    let code = create_topic(broker.address, TOPIC, PARTITIONS, &settings)?;
    if code != 0 {
        return Err(format!("CreateTopics got {code}"));
    }
    broker.stop()?;
    while sum.ends < ends {
        clients = life(end, &log, clients, &mut sum, &mut prng)
            .map_err(|why| format!("life {} of seed {seed}: {why}", sum.ends + 1))?;
    }
    let broker = Broker::start(&end.directory(), 2, &log)?;
    for producer in &mut clients.producers {
        producer.drain(broker.address)?;
    }
    sum.checked += clients.check(broker.address, true)?;
    broker.stop()?;
    let acknowledged = clients.acknowledged_records();
    if acknowledged < u64::from(ends) * 10 {
        return Err(format!("only {acknowledged} records acknowledged: nothing was tested"));
    }
    let resent: u64 = clients.producers.iter().map(|producer| producer.resent).sum();
    Ok(format!(
        "{} ends, {} of them before the broker served, {acknowledged} records acknowledged, \
         {resent} batches sent again, {} comparisons, {} records at the end",
        sum.ends,
        sum.in_start,
        sum.checked,
        clients.consumer.records()
    ))
}

/// A start, a look at all that was there before, and work until the end comes.
fn life(
    end: &mut impl End,
    log: &Path,
    mut clients: Clients,
    sum: &mut Sum,
    prng: &mut Prng,
) -> Result<Clients, String> {
    sum.ends += 1;
    let cores = CORES[prng.below(CORES.len() as u64) as usize];
    let mut broker = Broker::spawn(&end.directory(), cores, log)?;
    if prng.percent(20) {
        sum.in_start += 1;
        std::thread::sleep(Duration::from_millis(prng.below(60)));
        end.end(broker, prng)?;
        return Ok(clients);
    }
    broker.wait_until_serving()?;
    sum.checked += clients
        .check(broker.address, false)
        .map_err(|why| format!("{why}\nthe broker's last words: {}", broker.last_words()))?;
    let running = clients.start(broker.address);
    std::thread::sleep(Duration::from_millis(50 + prng.below(500)));
    end.end(broker, prng)?;
    clients = running.end()?;
    Ok(clients)
}

/// The process is killed, the machine goes on.
struct Kill(PathBuf);

impl End for Kill {
    fn directory(&self) -> PathBuf {
        self.0.clone()
    }

    fn end(&mut self, broker: Broker, _prng: &mut Prng) -> Result<(), String> {
        broker.kill()
    }
}

pub fn kills_lose_nothing(scratch: &Scratch) -> Result<String, String> {
    live(scratch, &mut Kill(scratch.path("data")), KILLS, scratch.seed)
}

/// The machine loses power, and with it what the disk had not flushed.
struct PowerCut {
    disk: Disk,
    mount: Option<Mount>,
    folder: PathBuf,
}

impl End for PowerCut {
    fn directory(&self) -> PathBuf {
        self.folder.join("data")
    }

    fn end(&mut self, broker: Broker, prng: &mut Prng) -> Result<(), String> {
        self.disk.cut(prng)?;
        broker.kill()?;
        if let Some(mount) = self.mount.take() {
            mount.unmount()?;
        }
        self.disk.power_on();
        self.mount = Some(Mount::new(&self.disk.path(), &self.folder)?);
        Ok(())
    }
}

pub fn power_cuts_lose_nothing(scratch: &Scratch) -> Result<String, String> {
    crate::mount::separate()?;
    let disk = Disk::new(&scratch.folder, DISK_BYTES)?;
    Mount::make(&disk.path())?;
    let folder = scratch.path("mount");
    let mount = Some(Mount::new(&disk.path(), &folder)?);
    let mut end = PowerCut { disk, mount, folder };
    let lived = live(scratch, &mut end, CUTS, scratch.seed);
    let counts = end.disk.counts();
    if let Some(mount) = end.mount.take() {
        mount.unmount()?;
    }
    let lived = lived?;
    if counts.lost_sectors == 0 {
        return Err(format!("no sector was lost, nothing was tested: {counts:?}"));
    }
    Ok(format!("{lived}; {counts:?}"))
}
