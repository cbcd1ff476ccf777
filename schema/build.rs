//! Turns the definitions in `schema/kafka/` into Rust at build time.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::{env, fs, io};

mod compile;

const DEFINITIONS: &str = "schema/kafka";

fn main() -> ExitCode {
    println!("cargo::rerun-if-changed=schema");
    match generate() {
        Ok(faults) if faults.is_empty() => ExitCode::SUCCESS,
        Ok(faults) => {
            for fault in faults {
                println!("cargo::error={fault}");
            }
            ExitCode::FAILURE
        }
        Err(error) => {
            println!("cargo::error=generating from {DEFINITIONS}: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Writes the generated files, or returns what is wrong with the definitions.
fn generate() -> io::Result<Vec<compile::Fault>> {
    let mut paths: Vec<PathBuf> =
        fs::read_dir(DEFINITIONS)?.map(|entry| Ok(entry?.path())).collect::<io::Result<_>>()?;
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "txt"));
    paths.sort();
    let (mut modules, mut faults) = (Vec::new(), Vec::new());
    for path in &paths {
        match compile::read(&path.to_string_lossy(), &fs::read_to_string(path)?) {
            Ok(module) => modules.push(module),
            Err(fault) => faults.push(fault),
        }
    }
    if faults.is_empty() {
        let out = env::var("OUT_DIR").map_err(io::Error::other)?;
        fs::write(Path::new(&out).join("messages.rs"), compile::messages(&modules))?;
        fs::write(Path::new(&out).join("api_keys.rs"), compile::api_keys(&modules))?;
    }
    Ok(faults)
}
