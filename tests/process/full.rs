//! A file system that fills up: appends are refused, everything else goes on, and appends come back
//! with the space.

use std::fs::File;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use millstream::protocol::ErrorCode;
use rustix::fs::{FallocateFlags, fallocate, statvfs};
use rustix::io::Errno;

use crate::Scratch;
use crate::broker::{Broker, text};
use crate::consumer::Consumer;
use crate::mount::{Mount, separate};
use crate::producer::{Producer, Shape};
use crate::wire::create_topic;

const TOPIC: &str = "full";
const PARTITIONS: i32 = 2;
const IMAGE_BYTES: u64 = 256 << 20;
const SHAPE: Shape = Shape { records_max: 10, filler_bytes_max: 20_000 };
const BATCHES_BEFORE: usize = 100;
/// What appends may still fill when the test begins to fill the rest.
const LEFT_BYTES: u64 = 24 << 20;
const BATCHES_MAX: usize = 3_000;
const PATIENCE: Duration = Duration::from_secs(30);

/// A small file system with a broker's directory, and clients.
struct World {
    mount: Mount,
    log: PathBuf,
    producers: Vec<Producer>,
    consumer: Consumer,
}

impl World {
    fn new(scratch: &Scratch) -> Result<(Self, Broker), String> {
        separate()?;
        let image = scratch.path("image");
        File::create_new(&image).and_then(|file| file.set_len(IMAGE_BYTES)).map_err(text)?;
        Mount::make(&image)?;
        let mut world = Self {
            mount: Mount::new(&image, &scratch.path("mount"))?,
            log: scratch.path("broker.log"),
            producers: vec![Producer::new(1, TOPIC, PARTITIONS, SHAPE, scratch.seed)],
            consumer: Consumer::new(TOPIC, PARTITIONS),
        };
        let broker = world.start()?;
        let code =
            create_topic(broker.address, TOPIC, PARTITIONS, &[("segment.bytes", "1048576")])?;
        if code != 0 {
            return Err(format!("CreateTopics got {code}"));
        }
        world.producers[0].produce(broker.address, BATCHES_BEFORE)?;
        Ok((world, broker))
    }

    fn directory(&self) -> PathBuf {
        self.mount.folder.join("data")
    }

    fn start(&self) -> Result<Broker, String> {
        Broker::start(&self.directory(), 1, &self.log)
    }

    fn check(&mut self, broker: &Broker, complete: bool) -> Result<u64, String> {
        self.consumer.read_all(broker.address).map_err(text)?;
        self.consumer.verify(&self.producers, complete)
    }

    /// Fills the file system with a file, but for so many bytes.
    fn fill(&self, name: &str, left_bytes: u64) -> Result<PathBuf, String> {
        let path = self.mount.folder.join(name);
        let file = File::create_new(&path).map_err(text)?;
        let mut end = 0;
        for step in [1 << 20, 4096] {
            loop {
                let free = statvfs(&self.mount.folder).map_err(text)?;
                if free.f_bfree * free.f_frsize < left_bytes + step {
                    break;
                }
                match fallocate(&file, FallocateFlags::empty(), end, step) {
                    Ok(()) => end += step,
                    Err(Errno::NOSPC) => break,
                    Err(error) => return Err(text(error)),
                }
            }
        }
        Ok(path)
    }

    /// Bytes that the broker has set aside.
    fn reserve_bytes(&self) -> Result<u64, String> {
        std::fs::metadata(self.directory().join("reserve.0")).map(|file| file.len()).map_err(text)
    }
}

/// Waits for something that the broker does by itself.
fn wait_until(what: &str, mut holds: impl FnMut() -> Result<bool, String>) -> Result<(), String> {
    let until = Instant::now() + PATIENCE;
    while !holds()? {
        if Instant::now() > until {
            return Err(format!("in vain waited until {what}"));
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    Ok(())
}

pub fn a_full_disk_refuses_and_recovers(scratch: &Scratch) -> Result<String, String> {
    let (mut world, broker) = World::new(scratch)?;
    wait_until("a reserve is kept", || Ok(world.reserve_bytes()? > 0))?;
    let reserve_bytes = world.reserve_bytes()?;
    let ballast = world.fill("ballast", LEFT_BYTES)?;
    let code = world.producers[0].produce_until_refused(broker.address, BATCHES_MAX)?;
    let words = || broker.last_words();
    if ErrorCode::from_code(code) != Some(ErrorCode::KafkaStorageError) {
        return Err(format!("a produce to a full disk got {code}: {}", words()));
    }
    let last = world.fill("last", 0)?;
    let mut checked = world.check(&broker, false).map_err(|why| format!("{why}: {}", words()))?;
    let again = world.producers[0].produce_until_refused(broker.address, 1)?;
    if again != code {
        return Err(format!("a produce to a full disk got {again}"));
    }
    for path in [&ballast, &last] {
        std::fs::remove_file(path).map_err(text)?;
    }
    world.producers[0].drain(broker.address).map_err(|why| format!("{why}: {}", words()))?;
    world.producers[0].produce(broker.address, BATCHES_BEFORE)?;
    checked += world.check(&broker, true)?;
    wait_until("the reserve is back", || Ok(world.reserve_bytes()? == reserve_bytes))?;
    broker.stop()?;
    let broker = world.start()?;
    checked += world.check(&broker, true)?;
    broker.stop()?;
    let acknowledged = world.producers[0].acknowledged_records();
    let refusals = world.producers[0].refusals.len();
    world.mount.unmount()?;
    Ok(format!(
        "{acknowledged} records acknowledged, {refusals} refusals with code {code}, {checked} \
         comparisons, {reserve_bytes} bytes in reserve"
    ))
}

pub fn a_start_on_a_full_disk_is_clear(scratch: &Scratch) -> Result<String, String> {
    let (mut world, broker) = World::new(scratch)?;
    broker.kill()?;
    let ballast = world.fill("ballast", 0)?;
    let started = world.start();
    let what = match started {
        Ok(broker) => {
            let checked = world.check(&broker, true)?;
            broker.kill()?;
            format!("it serves, {checked} comparisons")
        }
        Err(why) if says_that_it_is_full(&why) => format!("it says: {why}"),
        Err(why) => return Err(format!("no clear reason: {why}")),
    };
    std::fs::remove_file(&ballast).map_err(text)?;
    let broker = world.start()?;
    let checked = world.check(&broker, true)?;
    world.producers[0].produce(broker.address, BATCHES_BEFORE)?;
    broker.stop()?;
    world.mount.unmount()?;
    Ok(format!("on a full disk {what}; {checked} comparisons with space"))
}

fn says_that_it_is_full(why: &str) -> bool {
    let why = why.to_lowercase();
    !why.contains("panicked")
        && ["full", "no space", "no room"].iter().any(|word| why.contains(word))
}
