//! ext4 on a loop device. The process has mounts of its own, which end with it, whatever happens.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use crate::broker::text;

const PATIENCE: Duration = Duration::from_secs(20);

/// Gives this process mounts of its own. Every process of a test that ends takes them with it.
pub fn separate() -> Result<(), String> {
    if !rustix::process::geteuid().is_root() {
        return Err("needs root, to mount file systems: run it as root".to_owned());
    }
    // SAFETY: the mounts alone are separated; no memory and no descriptor is concerned.
    unsafe { rustix::thread::unshare_unsafe(rustix::thread::UnshareFlags::NEWNS) }
        .map_err(|error| format!("needs root, for mounts of its own: {error}"))?;
    run(Command::new("mount").args(["--make-rprivate", "/"])).map(|_| ())
}

/// A mounted file system.
#[derive(Debug)]
pub struct Mount {
    pub folder: PathBuf,
    mounted: bool,
}

impl Mount {
    /// Makes an ext4 file system in a file.
    pub fn make(image: &Path) -> Result<(), String> {
        let device = attach(image)?;
        let made = run(Command::new("mkfs.ext4").args([
            "-q",
            "-F",
            "-m",
            "0",
            "-E",
            "nodiscard",
            &device,
        ]));
        let detached = run(Command::new("losetup").args(["--detach", &device]));
        made.and(detached).map(|_| ())
    }

    /// Mounts the file system in a file; the loop device goes with the mount.
    pub fn new(image: &Path, folder: &Path) -> Result<Self, String> {
        std::fs::create_dir_all(folder).map_err(text)?;
        let device = attach(image)?;
        let mounted = run(Command::new("mount").args(["-t", "ext4", &device]).arg(folder));
        let detached = run(Command::new("losetup").args(["--detach", &device]));
        mounted.and(detached)?;
        Ok(Self { folder: folder.to_owned(), mounted: true })
    }

    /// Unmounts, as soon as nobody uses it any more.
    pub fn unmount(mut self) -> Result<(), String> {
        let until = Instant::now() + PATIENCE;
        loop {
            match run(Command::new("umount").arg(&self.folder)) {
                Ok(_) => {
                    self.mounted = false;
                    return Ok(());
                }
                Err(why) if Instant::now() > until => return Err(why),
                Err(_) => std::thread::sleep(Duration::from_millis(5)),
            }
        }
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        if self.mounted {
            let _ = run(Command::new("umount").arg("--lazy").arg(&self.folder));
        }
    }
}

/// A loop device on a file, past the page cache, so that flushes reach the file.
fn attach(image: &Path) -> Result<String, String> {
    let arguments = ["--find", "--show", "--direct-io=on"];
    run(Command::new("losetup").args(arguments).arg(image))
}

/// Runs a tool to its end; answers what it printed.
fn run(command: &mut Command) -> Result<String, String> {
    let output = command.output().map_err(|error| format!("{command:?}: {error}"))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned());
    }
    let errors = String::from_utf8_lossy(&output.stderr);
    Err(format!("{command:?} ended with {}: {}", output.status, errors.trim()))
}
