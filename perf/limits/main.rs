//! Measures the write path that the log is built on, before and apart from the broker: WAL
//! commits, chunks to segments, checkpoints, unlinks and a read load, on the runtime's own ring.
//! ARCHITECTURE.md records what it printed; later figures are held against it.

mod cases;
mod files;
mod measure;
mod path;

use clap::Parser;

/// Measures the limits of the write path.
#[derive(Parser)]
struct Arguments {
    /// Where to put the files; several GiB are needed.
    #[arg(long, default_value = "target/limits")]
    dir: String,
    /// Only cases whose name contains this.
    #[arg(long, default_value = "")]
    only: String,
    /// How long each case runs.
    #[arg(long, default_value_t = 30)]
    seconds: u64,
    /// The core to run on.
    #[arg(long, default_value_t = 0)]
    core: usize,
}

fn main() {
    let arguments = Arguments::parse();
    measure::pin_to(arguments.core);
    println!("{}", measure::HEADER);
    for case in cases::all() {
        if !case.name.contains(&arguments.only) {
            continue;
        }
        let _ = std::fs::remove_dir_all(&arguments.dir);
        std::fs::create_dir_all(&arguments.dir).expect("a writable directory");
        let files = files::Files::new(&arguments.dir);
        let report = path::WritePath::new(&case, files).run(arguments.seconds);
        println!("{}", report.row(&case.name));
    }
    let _ = std::fs::remove_dir_all(&arguments.dir);
}
