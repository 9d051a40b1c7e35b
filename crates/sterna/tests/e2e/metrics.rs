//! The figures that a member shows its operators.

use crate::http::{Answer, Http};
use crate::support::Member;

/// Answer of a member's monitoring port to a GET.
pub(crate) fn monitor(member: &Member, target: &str) -> Answer {
    let line = member.log().find("parameter=MonitorPrometheus.Listen").expect("it says where it listens");
    let address = line.split_whitespace().find_map(|word| word.strip_prefix("address="));
    let mut http = Http::open(address.expect("an address"));
    http.send(format!("GET {target} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n"));
    http.answer()
}

/// Value of a metric, written as in the answer, with its labels if it has any.
pub(crate) fn metric(member: &Member, name: &str) -> u64 {
    let answer = monitor(member, "/metrics");
    let value = answer.text().lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    let value: f64 = value.unwrap_or_else(|| panic!("no {name}")).parse().expect("a number");
    value as u64
}
