//! Makes a failing run's list of faults as short as it goes: removes halves, then smaller parts, then
//! single faults, as long as the same property is broken.

use millstream::sim::Violation;

use crate::run::Case;

/// Runs that shrinking may take.
const RUNS_MAX: u32 = 150;

/// The shortest list found, and how it fails.
pub(crate) fn shrink(case: &Case, first: Violation) -> (Case, Violation) {
    let mut kept: Vec<usize> = case.planned().into_iter().map(|(at, _)| at).collect();
    let mut violation = first;
    let mut runs = 0;
    let mut size = kept.len().div_ceil(2);
    while size > 0 {
        let mut removed = false;
        let mut from = 0;
        while from < kept.len() && runs < RUNS_MAX {
            let until = kept.len().min(from + size);
            let fewer = [&kept[..from], &kept[until..]].concat();
            runs += 1;
            match (Case { faults: Some(fewer.clone()), ..case.clone() }).run() {
                Err(again) if again.property == violation.property => {
                    (kept, violation, removed) = (fewer, again, true);
                }
                _ => from = until,
            }
        }
        // Parts of the same size again, while that helps at the end.
        size = if size == 1 && removed { 1 } else { size / 2 };
    }
    (Case { faults: Some(kept), ..case.clone() }, violation)
}

/// Shrinks a failing run, and says how to see it again.
pub(crate) fn describe(case: &Case, violation: Violation) -> String {
    let (case, shrunk) = shrink(case, violation.clone());
    let mut text = format!("seed {}: {violation}\n", case.seed);
    if shrunk != violation {
        text += &format!("  shrunk: {shrunk}\n");
    }
    let planned = case.planned();
    for (at, fault) in &planned {
        text += &format!("  fault {at}: {:?} after {} us\n", fault.fault, fault.after / 1000);
    }
    let list: Vec<String> = planned.iter().map(|(at, _)| at.to_string()).collect();
    let planted = case.bug.map_or(String::new(), |bug| format!(" --planted {bug:?}"));
    text + &format!("  again: --seed {} --faults '{}'{planted}", case.seed, list.join(","))
}
