//! A monitoring interface: its pages, and who may see them.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::http::header::{AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde_json::json;
use tokio::sync::watch;

use super::credentials::Expected;
use super::exposition;
use super::figures::Figures;
use super::statistics::Statistics;

/// Which interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// `/metrics` in the Prometheus text format.
    Prometheus,
    /// `/` as JSON.
    Http,
}

/// A bound interface.
pub(crate) struct Interface {
    pub(crate) kind: Kind,
    pub(crate) socket: std::net::TcpListener,
    pub(crate) encrypted: bool,
    /// What it asks for, if it does.
    pub(crate) credentials: Option<sterna_config::Credentials>,
}

/// What the pages are made from.
struct Pages {
    kind: Kind,
    figures: Arc<Figures>,
    statistics: watch::Receiver<Statistics>,
    expected: Option<Expected>,
}

/// The pages of an interface. Health needs no password: probes have none.
pub(super) fn router(
    interface: &Interface,
    figures: Arc<Figures>,
    statistics: watch::Receiver<Statistics>,
) -> Router {
    let path = match interface.kind {
        Kind::Prometheus => "/metrics",
        Kind::Http => "/",
    };
    let expected = interface.credentials.as_ref().map(Expected::new);
    Router::new()
        .route(path, get(show_figures))
        .route("/health", get(health))
        .route("/health/live", get(health))
        .route("/health/ready", get(health))
        .with_state(Arc::new(Pages { kind: interface.kind, figures, statistics, expected }))
}

async fn show_figures(State(pages): State<Arc<Pages>>, request: Request) -> Response {
    let header = request.headers().get(AUTHORIZATION).map_or(&b""[..], |value| value.as_bytes());
    if pages.expected.as_ref().is_some_and(|expected| !expected.is_shown_by(header)) {
        let advice = "Give MonitorUsername and MonitorPassword as Basic credentials.\n";
        return (StatusCode::UNAUTHORIZED, [(WWW_AUTHENTICATE, "Basic realm=\"sterna\"")], advice)
            .into_response();
    }
    match pages.kind {
        Kind::Prometheus => {
            ([(CONTENT_TYPE, exposition::TEXT_TYPE)], exposition::text(&pages.figures)).into_response()
        }
        Kind::Http => {
            let mut object = pages.statistics.borrow().json();
            object.insert("metrics".to_owned(), exposition::json(&pages.figures).into());
            let headers = [(CONTENT_TYPE, "application/json"), (CACHE_CONTROL, "no-store")];
            (headers, json!(object).to_string()).into_response()
        }
    }
}

async fn health(State(pages): State<Arc<Pages>>, request: Request) -> Response {
    let answer = pages.figures.status.health(request.uri().path());
    let status = StatusCode::from_u16(answer.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = [(CONTENT_TYPE, "application/json"), (CACHE_CONTROL, "no-store")];
    let mut response = (status, headers, answer.body().to_vec()).into_response();
    if status == StatusCode::SERVICE_UNAVAILABLE {
        response.headers_mut().insert(RETRY_AFTER, 1.into());
    }
    response
}
