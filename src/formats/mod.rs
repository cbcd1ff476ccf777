//! Formats on disk that are not Kafka's: FlatBuffers generated from `schema/internal/`.

/// Code that flatc wrote; `schema/generate --check` keeps it fresh.
#[allow(
    missing_docs,
    unused_imports,
    unreachable_pub,
    rust_2018_idioms,
    clippy::all,
    clippy::missing_errors_doc,
    clippy::undocumented_unsafe_blocks,
    clippy::unwrap_used,
    clippy::too_many_lines
)]
mod generated {
    pub mod wal_file {
        include!(concat!(env!("CARGO_MANIFEST_DIR"), "/schema/generated/wal_generated.rs"));
    }
    pub mod checkpoint_file {
        include!(concat!(env!("CARGO_MANIFEST_DIR"), "/schema/generated/checkpoint_generated.rs"));
    }
    pub mod metadata_file {
        include!(concat!(env!("CARGO_MANIFEST_DIR"), "/schema/generated/metadata_generated.rs"));
    }
}

pub use generated::checkpoint_file::checkpoint;
pub use generated::metadata_file::metadata;
pub use generated::wal_file::wal;
