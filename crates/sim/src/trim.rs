//! Making a failing run smaller: faults and operations are left out as long as it still fails in the same way.

use std::collections::BTreeSet;
use std::fmt;

use crate::{Failure, Options, Report, run};

/// Runs that making one smaller may take.
const RUNS_MAX: u32 = 150;

/// What of a run is left out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trim {
    /// Faults by their number, from 0.
    pub faults_skipped: BTreeSet<u32>,
    /// Operations that clients do altogether, if not as many as they like.
    pub operations_max: Option<u64>,
    /// With so many members, whatever the seed decides.
    pub members: Option<u16>,
}

/// As on the command line, with a space before each option.
impl fmt::Display for Trim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(members) = self.members {
            write!(f, " --members {members}")?;
        }
        if let Some(operations) = self.operations_max {
            write!(f, " --operations {operations}")?;
        }
        if !self.faults_skipped.is_empty() {
            let skipped: Vec<_> = self.faults_skipped.iter().map(ToString::to_string).collect();
            write!(f, " --skip-faults {}", skipped.join(","))?;
        }
        Ok(())
    }
}

/// A smaller run that fails as this one did, and how many runs it took to find.
#[must_use]
pub fn minimise(failing: Report, options: &Options) -> (Report, u32) {
    let mut smallest = failing;
    let mut runs = 0;
    let mut try_with = |smallest: &mut Report, trim: Trim| {
        runs += 1;
        let report = run(smallest.seed, &Options { trim, trace: false, ..options.clone() });
        let fails = is_alike(report.failure.as_ref(), smallest.failure.as_ref());
        if fails {
            *smallest = report;
        }
        (fails, runs < RUNS_MAX)
    };
    let mut operations = smallest.operations;
    let mut step = operations / 2;
    while step > 0 {
        let trim = Trim { operations_max: Some(operations - step), ..smallest.trim.clone() };
        let (fails, may_go_on) = try_with(&mut smallest, trim);
        if fails {
            operations -= step;
        }
        step = if fails { step.min(operations / 2) } else { step / 2 };
        if !may_go_on {
            break;
        }
    }
    for fault in (0..smallest.faults).rev() {
        let mut trim = smallest.trim.clone();
        trim.faults_skipped.insert(fault);
        if !try_with(&mut smallest, trim).1 {
            break;
        }
    }
    (smallest, runs)
}

/// Whether two runs failed in the same way.
fn is_alike(one: Option<&Failure>, other: Option<&Failure>) -> bool {
    match (one, other) {
        (Some(Failure::Oracle(one)), Some(Failure::Oracle(other))) => {
            std::mem::discriminant(&one.fault) == std::mem::discriminant(&other.fault)
        }
        (Some(one), Some(other)) => std::mem::discriminant(one) == std::mem::discriminant(other),
        _ => false,
    }
}
