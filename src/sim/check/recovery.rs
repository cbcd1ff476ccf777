//! Recovery changes nothing: a second one finds what the first one left.

use super::Contents;

pub(in crate::sim) fn check(first: &Contents, second: &Contents) -> Result<(), String> {
    for (key, log) in first {
        let again = second.get(key);
        if again != Some(log) {
            let lengths = (log.len(), again.map(std::collections::BTreeMap::len));
            return Err(format!("{key:?} changed with a second recovery: records {lengths:?}"));
        }
    }
    if first.len() == second.len() { Ok(()) } else { Err("a partition appeared".to_owned()) }
}
