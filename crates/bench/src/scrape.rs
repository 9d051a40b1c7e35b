//! The server's own counters, from its `/metrics`.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use crate::error::{Failure, Result, system};

/// Messages written to clients.
pub(crate) const DELIVERIES: &str = "sterna_deliveries_total";
/// System calls that wrote to clients.
pub(crate) const WRITES: &str = "sterna_writes_total";
/// Bytes counted against `Memory`.
pub(crate) const MEMORY_USED: &str = "sterna_memory_used_bytes";
/// Bytes accounted to connections and sessions.
pub(crate) const SESSIONS: &str = "sterna_session_bytes";
const PATIENCE: Duration = Duration::from_secs(10);

/// One scrape.
#[derive(Debug)]
pub(crate) struct Metrics {
    text: String,
}

impl Metrics {
    pub(crate) fn scrape(address: SocketAddr) -> Result<Self> {
        let get = || {
            let mut socket = TcpStream::connect(address)?;
            socket.set_read_timeout(Some(PATIENCE))?;
            socket.write_all(b"GET /metrics HTTP/1.0\r\nHost: localhost\r\n\r\n")?;
            let mut text = String::new();
            socket.read_to_string(&mut text)?;
            Ok(text)
        };
        get().map(|text| Self { text }).map_err(system("scrape the metrics"))
    }

    /// The sum of all series of that name.
    pub(crate) fn sum(&self, name: &str) -> Result<u64> {
        let values = self.text.lines().filter_map(|line| {
            let rest = line.strip_prefix(name)?;
            let value = if rest.starts_with('{') { rest.rsplit_once('}')?.1 } else { rest };
            value.strip_prefix(' ')?.trim().parse::<f64>().ok()
        });
        let sum = values.reduce(|sum, value| sum + value);
        sum.map(|sum| sum as u64).ok_or_else(|| Failure::broken(format!("/metrics has no {name}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn series_of_one_name_are_added_and_others_are_not() {
        let text = "# TYPE a counter\na{shard=\"0\"} 3\na{shard=\"1\"} 4\nab 100\nb 7\n".to_owned();
        let metrics = Metrics { text };
        assert_eq!(metrics.sum("a").unwrap(), 7);
        assert_eq!(metrics.sum("b").unwrap(), 7);
        assert!(metrics.sum("c").unwrap_err().to_string().contains("no c"));
    }
}
