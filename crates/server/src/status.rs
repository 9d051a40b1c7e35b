//! Whether this member lives, and whether it wants clients.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering::Relaxed};

use sterna_model::DeliveryMode;
use sterna_wire::http::Response;

use crate::clock::Clock;
use crate::cluster::ClusterStatus;
use crate::metrics::CoreMetrics;

/// Version of the server software.
pub(crate) const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The life of a member. It goes on only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Stage {
    Starting,
    Ok,
    Draining,
}

/// State of the member as load balancers and people see it.
#[derive(Debug)]
pub(crate) struct MemberStatus {
    stage: AtomicU8,
    pub(crate) mode: DeliveryMode,
    core: Arc<CoreMetrics>,
    cluster: Arc<ClusterStatus>,
    clock: Clock,
}

impl MemberStatus {
    /// A member whose threads are being started.
    pub(crate) fn new(
        mode: DeliveryMode,
        core: Arc<CoreMetrics>,
        cluster: Arc<ClusterStatus>,
        clock: Clock,
    ) -> Self {
        Self { stage: AtomicU8::new(Stage::Starting as u8), mode, core, cluster, clock }
    }

    /// Every thread runs.
    pub(crate) fn begin_service(&self) {
        self.stage.fetch_max(Stage::Ok as u8, Relaxed);
    }

    /// Clients are told to go.
    pub(crate) fn begin_drain(&self) {
        self.stage.fetch_max(Stage::Draining as u8, Relaxed);
    }

    /// Whether clients are welcome.
    pub(crate) fn is_ready(&self) -> bool {
        self.stage.load(Relaxed) == Stage::Ok as u8
    }

    /// Whether clients are being told to go.
    pub(crate) fn is_draining(&self) -> bool {
        self.stage.load(Relaxed) == Stage::Draining as u8
    }

    /// The answer to a health request: `/health/live` is about the process, the others about taking clients.
    pub(crate) fn health(&self, path: &str) -> Response {
        let body = self.body();
        if path == "/health/live" || (self.is_ready() && self.cluster.serves()) {
            Response::json(200, body)
        } else {
            Response::json(503, body).header("Retry-After", "1")
        }
    }

    fn body(&self) -> Vec<u8> {
        let status = match self.stage.load(Relaxed) {
            stage if stage == Stage::Starting as u8 => "starting",
            stage if stage == Stage::Ok as u8 && self.cluster.serves() => "ok",
            stage if stage == Stage::Ok as u8 => "no_quorum",
            _ => "draining",
        };
        let (mode, epoch) = (self.mode.name(), self.core.epoch.value());
        let uptime_seconds = self.clock.monotonic_ms() / 1000;
        // No text in it needs an escape.
        format!(
            "{{\"status\":\"{status}\",\"version\":\"{VERSION}\",\"mode\":\"{mode}\",\"epoch\":{epoch},\
             \"uptime_seconds\":{uptime_seconds}}}"
        )
        .into_bytes()
    }
}

#[cfg(test)]
mod tests {
    use sterna_broker::core::CoreStatus;
    use sterna_config::Config;

    use super::*;
    use crate::cluster::ClusterSettings;
    use crate::peers::Peers;

    #[test]
    fn a_member_is_ready_between_its_start_and_its_drain_while_it_has_a_quorum() {
        let cluster = Arc::new(ClusterStatus::new(ClusterSettings::new(&Config::default())));
        let status =
            MemberStatus::new(DeliveryMode::Guaranteed, Arc::default(), cluster.clone(), Clock::new());
        let told = |path| {
            let response = status.health(path);
            (response.status(), String::from_utf8(response.body().to_vec()).unwrap())
        };
        let body = |status: &str| {
            format!(
                r#"{{"status":"{status}","version":"{VERSION}","mode":"guaranteed","epoch":0,"uptime_seconds":0}}"#
            )
        };
        assert_eq!(told("/health/ready"), (503, body("starting")));
        assert_eq!(told("/health/live"), (200, body("starting")));
        status.begin_service();
        assert_eq!(told("/health/ready"), (503, body("no_quorum")));
        assert_eq!(told("/health/live"), (200, body("no_quorum")));
        let alone = CoreStatus {
            replica: None,
            has_state: true,
            log_bytes: 0,
            batches_waiting: 0,
            batches_forwarded: 0,
            elections: 0,
        };
        cluster.update(&alone, &Peers::default(), &CoreMetrics::default());
        assert_eq!(told("/health/ready"), (200, body("ok")));
        assert_eq!(told("/health"), (200, body("ok")));
        status.begin_drain();
        status.begin_service();
        assert_eq!(told("/health/ready"), (503, body("draining")));
        assert_eq!(told("/health/live"), (200, body("draining")));
    }
}
