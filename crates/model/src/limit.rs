//! Every bound that is not a configuration parameter, with its unit in the name, and the relations between them.

/// Bytes of a subject.
pub const SUBJECT_BYTES_MAX: usize = 1024;
/// Bytes of a closure.
pub const CLOSURE_BYTES_MAX: usize = 1024;
/// Bytes of a publisher id.
pub const PUBLISHER_ID_BYTES_MAX: usize = 64;
/// Bytes of a token.
pub const TOKEN_BYTES_MAX: usize = 8 * 1024;
/// Bytes of the client's name in a connect request.
pub const CLIENT_NAME_BYTES_MAX: usize = 128;
/// Subjects in one subscribe or unsubscribe request.
pub const SUBJECTS_PER_REQUEST_MAX: usize = 10_000;
/// Bytes around the content in a native frame: subjects, closure, token, field names.
pub const FRAME_OVERHEAD_BYTES_MAX: usize = 16 * 1024;
/// Historical messages a subscription may ask for; more is treated as this many.
pub const HISTORY_MAX: u32 = 1_000_000;
/// Longest conflation interval, milliseconds.
pub const CONFLATION_MS_MAX: u32 = 60_000;
/// Recent publishes remembered per publisher, to recognise a retry.
pub const PUBLISHER_WINDOW: usize = 512;
/// Publishers remembered at once.
pub const PUBLISHERS_MAX: usize = 100_000;
/// Bytes of an HTTP request head.
pub const HTTP_HEAD_BYTES_MAX: usize = 16 * 1024;
/// Header lines of an HTTP request.
pub const HTTP_HEADERS_MAX: usize = 64;
/// Subjects of one SSE request.
pub const SSE_SUBJECTS_MAX: usize = 100;
/// Entries in a permission list of a token.
pub const PERMISSIONS_MAX: usize = 1_000;
/// Bytes of a WebSocket control frame's payload (RFC 6455, 5.5).
pub const CONTROL_PAYLOAD_BYTES_MAX: usize = 125;

const _: () = assert!(TOKEN_BYTES_MAX + 2 * SUBJECT_BYTES_MAX + CLOSURE_BYTES_MAX < FRAME_OVERHEAD_BYTES_MAX);
const _: () = assert!(TOKEN_BYTES_MAX < HTTP_HEAD_BYTES_MAX, "a token fits into an Authorization header");
/// Bytes of the messages of one page of a catch-up.
pub const RECOVERY_PAGE_BYTES_MAX: usize = 64 * 1024;
/// Pages and subscribes of one session that may be on their way at once.
pub const FETCHES_IN_FLIGHT_MAX: u8 = 4;
/// Bytes of the messages in one answer to a read.
pub const READ_BYTES_MAX: usize = 1024 * 1024;
