//! What operations cost in processor time, and the middle of several measurements.

use std::time::Duration;

use crate::usage::CpuTime;

/// Processor time for a number of operations.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Cost {
    pub(crate) cpu: CpuTime,
    pub(crate) operations: u64,
}

impl Cost {
    pub(crate) fn new(before: CpuTime, after: CpuTime, operations: u64) -> Self {
        Self { cpu: after - before, operations }
    }

    pub(crate) fn user_us(self) -> f64 {
        self.each_us(self.cpu.user)
    }

    pub(crate) fn system_us(self) -> f64 {
        self.each_us(self.cpu.system)
    }

    pub(crate) fn total_us(self) -> f64 {
        self.each_us(self.cpu.total())
    }

    /// Operations that one core does in a second.
    pub(crate) fn per_core_second(self) -> f64 {
        self.operations as f64 / self.cpu.total().as_secs_f64()
    }

    fn each_us(self, time: Duration) -> f64 {
        time.as_secs_f64() * 1e6 / self.operations as f64
    }
}

/// The middle one of some values.
pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn costs_are_per_operation() {
        let time = |user, system| CpuTime {
            user: Duration::from_millis(user),
            system: Duration::from_millis(system),
        };
        let cost = Cost::new(time(100, 200), time(110, 240), 1_000);
        assert_eq!((cost.user_us(), cost.system_us(), cost.total_us()), (10.0, 40.0, 50.0));
        assert_eq!(cost.per_core_second().round(), 20_000.0);
    }

    #[test]
    fn the_middle_value_is_found() {
        assert_eq!(median(vec![3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(vec![1.0]), 1.0);
    }
}
