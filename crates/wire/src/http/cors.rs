//! Which web pages may use the server: the Origin check and the CORS headers that follow from it.

use super::Response;

/// Origins whose pages may use the server. Tokens travel in headers or queries, never in cookies, so that no
/// page can act in the name of a visitor without having a token itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OriginPolicy {
    /// Any page.
    Any,
    /// Pages of these origins, each as browsers send it: `https://example.com`.
    Listed(Box<[Box<str>]>),
}

impl OriginPolicy {
    /// Whether a request with this `Origin` header is welcome. Without one it comes from no page, and is.
    #[must_use]
    pub fn allows(&self, origin: Option<&str>) -> bool {
        match (self, origin) {
            (Self::Any, _) | (_, None) => true,
            (Self::Listed(listed), Some(origin)) => {
                listed.iter().any(|known| known.eq_ignore_ascii_case(origin))
            }
        }
    }

    /// The answer to an OPTIONS request by which a browser asks before it sends the real one.
    #[must_use]
    pub fn preflight(&self, origin: Option<&str>) -> Response {
        let response = self.add_headers(origin, Response::empty(204));
        if !self.allows(origin) {
            return response;
        }
        response
            .header("Access-Control-Allow-Methods", "GET, HEAD, POST, OPTIONS")
            .header("Access-Control-Allow-Headers", "Authorization, Content-Type, Last-Event-ID")
            .header("Access-Control-Max-Age", "86400")
    }

    pub(super) fn add_headers(&self, origin: Option<&str>, response: Response) -> Response {
        match (self, origin) {
            (Self::Any, _) => response.header("Access-Control-Allow-Origin", "*"),
            (Self::Listed(_), Some(origin)) if self.allows(Some(origin)) => {
                response.header("Access-Control-Allow-Origin", origin).header("Vary", "Origin")
            }
            (Self::Listed(_), _) => response.header("Vary", "Origin"),
        }
    }
}
