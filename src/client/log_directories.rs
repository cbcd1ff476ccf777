//! What lies in the brokers' data directories (KIP-113).

use super::{ClientError, Cluster};
use crate::protocol::messages::describe_log_dirs::{
    DescribeLogDirsRequest, DescribeLogDirsResponse,
};

/// A data directory of a broker.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LogDirectory {
    /// The broker.
    pub node: i32,
    /// Its path there.
    pub path: String,
    /// The size of its device, if the broker tells.
    pub total_bytes: Option<i64>,
    /// What the device has left, if the broker tells.
    pub usable_bytes: Option<i64>,
    /// The replicas in it, by topic and partition.
    pub replicas: Vec<Replica>,
}

/// A partition's replica in a directory.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Replica {
    /// The topic.
    pub topic: String,
    /// The partition.
    pub partition: i32,
    /// The bytes of its segments.
    pub size_bytes: i64,
    /// How many offsets it is behind.
    pub lag: i64,
}

/// The directories of every broker; `asked` is told of each broker before it is asked.
///
/// # Errors
/// A broker does not answer, or a directory of one cannot be read.
pub fn describe(
    cluster: &mut Cluster,
    mut asked: impl FnMut(usize, usize),
) -> Result<Vec<LogDirectory>, ClientError> {
    let brokers = cluster.brokers()?.clone();
    let mut directories = Vec::new();
    for (at, (node, address)) in brokers.iter().enumerate() {
        asked(at, brokers.len());
        let request = DescribeLogDirsRequest { topics: None };
        let answer = cluster.ask_at_most(address, i16::MAX, &request)?;
        let response: DescribeLogDirsResponse<'_> = answer.decode()?;
        let refused = |what: String, code| ClientError::refused(what, code, None);
        if response.error_code != 0 {
            return Err(refused(format!("directories of broker {node}"), response.error_code));
        }
        for result in response.results {
            if result.error_code != 0 {
                let what = format!("{} of broker {node}", result.log_dir);
                return Err(refused(what, result.error_code));
            }
            let known = |bytes: i64| (bytes >= 0).then_some(bytes);
            let replicas = result.topics.iter().flat_map(|topic| {
                topic.partitions.iter().map(move |partition| Replica {
                    topic: topic.name.to_owned(),
                    partition: partition.partition_index,
                    size_bytes: partition.partition_size,
                    lag: partition.offset_lag,
                })
            });
            let mut replicas: Vec<Replica> = replicas.collect();
            replicas.sort();
            directories.push(LogDirectory {
                node: *node,
                path: result.log_dir.to_owned(),
                total_bytes: known(result.total_bytes),
                usable_bytes: known(result.usable_bytes),
                replicas,
            });
        }
    }
    Ok(directories)
}
