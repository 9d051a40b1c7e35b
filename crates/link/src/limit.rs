//! Every bound of the links that is not a setting, with its unit in the name.

use std::time::Duration;

/// Bytes of one frame: the largest of the replication, and room for what the owner puts around it.
pub const FRAME_BYTES_MAX: usize = (16 << 20) + (64 << 10);
/// Bytes that a waiting frame counts besides its own.
pub const FRAME_OVERHEAD_BYTES: usize = 64;
/// Slots in `ClusterMembers`.
pub const MEMBERS_MAX: usize = 64;
/// Bytes of one message of the handshake; the largest of version 1 has 174 and its advertised addresses, and later
/// versions may append.
pub const HANDSHAKE_BYTES_MAX: usize = 512;
/// Bytes of the name and version of a member's software.
pub const VERSION_BYTES_MAX: usize = 64;
/// Addresses at which clients reach a member.
pub const ADVERTISED_MAX: usize = 4;
/// Bytes of these addresses, with one more for each.
pub const ADVERTISED_BYTES_MAX: usize = 300;
/// Handshakes, and conversations of administration, at once on one port.
pub const HALF_OPEN_MAX: usize = 64;
/// The same from one address.
pub const HALF_OPEN_PER_ADDRESS_MAX: usize = 16;
/// Accepted links of one member whose connections are not all there yet; the oldest gives way.
pub(crate) const ARRIVING_MAX: usize = 4;
/// Bytes of a request of administration.
pub const ADMIN_REQUEST_BYTES_MAX: usize = 64 << 10;
/// Bytes of an answer of administration.
pub const ADMIN_ANSWER_BYTES_MAX: usize = 4 << 20;
/// Time for a request and its answer.
pub const ADMIN_TIMEOUT: Duration = Duration::from_secs(10);

/// Time to find the addresses of a name.
pub(crate) const RESOLVE_TIMEOUT: Duration = Duration::from_secs(5);
/// Addresses of a name that are tried.
pub(crate) const ADDRESSES_MAX: usize = 4;
/// Time for a TCP connection to one address.
pub(crate) const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// Pause after the first failed dial; it doubles.
pub(crate) const DIAL_PAUSE_MIN: Duration = Duration::from_millis(100);
/// Longest pause between two dials.
pub(crate) const DIAL_PAUSE_MAX: Duration = Duration::from_secs(2);
/// After so long without a link the log says so, once.
pub(crate) const UNREACHABLE_NOTICE: Duration = Duration::from_secs(15);
/// Pause when no connection can be accepted, for want of descriptors for instance.
pub(crate) const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// Time for queues to drain when the links are stopped.
pub(crate) const FLUSH_TIMEOUT: Duration = Duration::from_millis(500);
/// Time for threads that look up names when the links are stopped.
pub(crate) const LOOKUP_STOP_TIMEOUT: Duration = Duration::from_millis(200);
/// Lookups of names at once.
pub(crate) const LOOKUPS_MAX: usize = 8;
/// An idle TCP connection is probed after this time.
pub(crate) const TCP_IDLE: Duration = Duration::from_secs(10);
/// Connections that may wait to be accepted on a port.
pub(crate) const BACKLOG: i32 = 128;
/// Bytes read or written at once.
pub(crate) const BUFFER_BYTES: usize = 64 << 10;
/// Bytes that one connection reads or writes before it is another's turn.
pub(crate) const TURN_BYTES: usize = 64 << 10;
/// The same complaint about the same address is made once in this time.
pub(crate) const COMPLAINT_PAUSE: Duration = Duration::from_secs(60);
/// Complaints that are remembered; beyond that all others count as one.
pub(crate) const COMPLAINTS_MAX: usize = 1024;
/// Complaints that wait to be written.
pub(crate) const COMPLAINTS_WAITING_MAX: usize = 256;

const _: () = assert!(HALF_OPEN_PER_ADDRESS_MAX < HALF_OPEN_MAX && HANDSHAKE_BYTES_MAX < u16::MAX as usize);
const _: () = assert!(174 + ADVERTISED_BYTES_MAX <= HANDSHAKE_BYTES_MAX);
