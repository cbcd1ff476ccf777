//! What a running broker has its write-ahead log open with, as the kernel tells it.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::Scratch;
use crate::broker::{Broker, text};
use crate::producer::{Producer, Shape};
use crate::wire::create_topic;

const TOPIC: &str = "descriptors";
const CORES: u16 = 2;
const PATIENCE: Duration = Duration::from_secs(30);

/// The flags of every open file of the write-ahead logs.
fn wal_flags(pid: u32, directory: &Path) -> Result<Vec<u32>, String> {
    let wal = std::fs::canonicalize(directory.join("wal")).map_err(text)?;
    let mut all = Vec::new();
    for entry in std::fs::read_dir(format!("/proc/{pid}/fd")).map_err(text)? {
        let entry = entry.map_err(text)?;
        // One that was closed meanwhile is none.
        let Ok(target) = std::fs::read_link(entry.path()) else { continue };
        if !target.starts_with(&wal) || target.extension().is_none_or(|end| end != "wal") {
            continue;
        }
        let info = format!("/proc/{pid}/fdinfo/{}", entry.file_name().to_string_lossy());
        let Ok(info) = std::fs::read_to_string(info) else { continue };
        let flags = info.lines().find_map(|line| line.strip_prefix("flags:"));
        let flags = flags.ok_or("fdinfo without flags")?;
        all.push(u32::from_str_radix(flags.trim(), 8).map_err(text)?);
    }
    Ok(all)
}

/// Every descriptor is O_DIRECT always, and O_DSYNC too but for a file that is being zeroed: at most
/// one of each core, and none once all are made.
pub fn the_log_is_written_past_the_cache(scratch: &Scratch) -> Result<String, String> {
    let directory = scratch.path("data");
    let broker = Broker::start(&directory, CORES, &scratch.path("broker.log"))?;
    create_topic(broker.address, TOPIC, 4, &[])?;
    let shape = Shape { records_max: 5, filler_bytes_max: 1500 };
    let mut producer = Producer::new(1, TOPIC, 4, shape, scratch.seed);
    let (address, stop) = (broker.address, AtomicBool::new(false));
    let seen = std::thread::scope(|scope| {
        let produced = scope.spawn(|| producer.run(address, &stop).map(|()| producer));
        let seen = watch(broker.pid(), &directory);
        stop.store(true, Ordering::Relaxed);
        let producer = produced.join().map_err(|_| "a producer panicked")??;
        seen.map(|seen| (seen, producer.acknowledged_records()))
    });
    let (descriptors, acknowledged) = seen?;
    broker.stop()?;
    if acknowledged == 0 {
        return Err("nothing was acknowledged meanwhile".to_owned());
    }
    Ok(format!(
        "{descriptors} descriptors, all O_DIRECT|O_DSYNC, {acknowledged} records acknowledged"
    ))
}

fn watch(pid: u32, directory: &Path) -> Result<usize, String> {
    let direct = libc::O_DIRECT as u32;
    let synchronous = libc::O_DSYNC as u32;
    let until = Instant::now() + PATIENCE;
    let mut rounds = 0;
    loop {
        let flags = wal_flags(pid, directory)?;
        if let Some(cached) = flags.iter().find(|flags| *flags & direct == 0) {
            return Err(format!("a WAL file is open with flags {cached:o}, without O_DIRECT"));
        }
        let zeroing = flags.iter().filter(|flags| *flags & synchronous == 0).count();
        if zeroing > usize::from(CORES) {
            return Err(format!("{zeroing} of {} descriptors have no O_DSYNC", flags.len()));
        }
        rounds = if zeroing == 0 && flags.len() >= usize::from(CORES) { rounds + 1 } else { 0 };
        if rounds == 20 {
            return Ok(flags.len());
        }
        if Instant::now() > until {
            return Err(format!("there is always a WAL file without O_DSYNC: {flags:?}"));
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}
