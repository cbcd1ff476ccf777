//! The `millstream` binary.

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() {
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_env_filter(tracing_subscriber::EnvFilter::from_default_env())
        .init();
    let args: Vec<String> = std::env::args().collect();
    millstream::cli::serve::run(
        &args[1],
        args[2].parse().expect("port"),
        args[3].parse().expect("cores"),
    );
}
