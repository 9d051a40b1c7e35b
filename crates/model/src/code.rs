//! The one table of public codes: number, name, class, mappings, and what to do.

use std::fmt;

/// Who is at fault, and so what the client should do. The class follows from the number's range, so a
/// client can act on a code it has never seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Class {
    /// 4000-4199: the client can fix it; the same request will fail again.
    Rejected,
    /// 4200-4299: retry the request after a pause.
    Busy,
    /// 4300-4399: reconnect (to another member if there is one) and resume.
    Unavailable,
    /// 4400-4499: the server is at fault; reconnect and report it.
    Broken,
}

impl Class {
    /// Name on the wire and in documents.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Rejected => "rejected",
            Self::Busy => "busy",
            Self::Unavailable => "unavailable",
            Self::Broken => "broken",
        }
    }

    /// Class of a number, also of one that this version does not know.
    #[must_use]
    pub fn of(number: u16) -> Option<Self> {
        match number {
            4000..4200 => Some(Self::Rejected),
            4200..4300 => Some(Self::Busy),
            4300..4400 => Some(Self::Unavailable),
            4400..4500 => Some(Self::Broken),
            _ => None,
        }
    }
}

/// The four results of a publish that a publisher can act on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PublishStatus {
    /// Accepted as promised.
    Ok,
    /// Not accepted; the code says whether a retry can help, and a retry is safe.
    Failed,
    /// Not allowed.
    Denied,
    /// Content too large.
    MessageSizeLimitExceeded,
}

macro_rules! codes {
    ($($(#[doc = $advice:literal])* $number:literal $variant:ident $name:literal ws $close:literal http $http:literal mqtt $mqtt:literal;)*) => {
        /// A public code. A client never gets an error without one.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Code {
            $($(#[doc = $advice])* $variant,)*
        }

        impl Code {
            /// All codes, in the order of their numbers.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// Number, also the WebSocket close code where the standard has no closer one.
            #[must_use]
            pub fn number(self) -> u16 {
                match self { $(Self::$variant => $number,)* }
            }

            /// Name on the wire.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// One sentence: what is wrong and what to do.
            #[must_use]
            pub fn advice(self) -> &'static str {
                match self { $(Self::$variant => concat!($($advice),*).trim_ascii_start(),)* }
            }

            /// WebSocket close code when a connection is closed for this.
            #[must_use]
            pub fn websocket_close(self) -> u16 {
                match self { $(Self::$variant => $close,)* }
            }

            /// HTTP status.
            #[must_use]
            pub fn http_status(self) -> u16 {
                match self { $(Self::$variant => $http,)* }
            }

            /// MQTT 5 reason code.
            #[must_use]
            pub fn mqtt_reason(self) -> u8 {
                match self { $(Self::$variant => $mqtt,)* }
            }
        }
    };
}

codes! {
    /// The frame is not a JSON object of the native protocol; send one JSON object per text frame.
    4000 MalformedFrame "malformed_frame" ws 4000 http 400 mqtt 0x81;
    /// The operation is not known; see the protocol's list of operations.
    4001 UnknownOperation "unknown_operation" ws 4001 http 400 mqtt 0x83;
    /// The request has a field this operation does not know; remove it.
    4002 UnknownField "unknown_field" ws 4002 http 400 mqtt 0x83;
    /// A field is missing or its value is out of bounds; the detail names it.
    4003 ParameterInvalid "parameter_invalid" ws 4003 http 400 mqtt 0x83;
    /// Send a connect request first.
    4004 ConnectRequired "connect_required" ws 4004 http 400 mqtt 0x82;
    /// The session is connected already; use a token request to renew the token.
    4005 AlreadyConnected "already_connected" ws 4005 http 400 mqtt 0x82;
    /// The server does not speak this protocol version; use version 1.
    4006 VersionUnsupported "version_unsupported" ws 4006 http 400 mqtt 0x84;
    /// The subject is not an absolute path of non-empty segments; correct it.
    4007 SubjectInvalid "subject_invalid" ws 4007 http 400 mqtt 0x90;
    /// Subjects under /__sterna__ belong to the server; use another subject.
    4008 SubjectReserved "subject_reserved" ws 4008 http 403 mqtt 0x90;
    /// A message needs content; publish at least one byte.
    4009 ContentEmpty "content_empty" ws 4009 http 400 mqtt 0x99;
    /// The content is larger than MaxMessageSize; publish less or raise the parameter.
    4010 MessageTooLarge "message_too_large" ws 1009 http 413 mqtt 0x95;
    /// The frame is larger than any valid request; send smaller requests.
    4011 FrameTooLarge "frame_too_large" ws 1009 http 413 mqtt 0x95;
    /// The session has as many subscriptions as MaxSubscriptionsPerSession allows; unsubscribe or raise it.
    4012 TooManySubscriptions "too_many_subscriptions" ws 4012 http 429 mqtt 0x97;
    /// The session is not subscribed to this subject; nothing was changed.
    4013 NotSubscribed "not_subscribed" ws 4013 http 404 mqtt 0x11;
    /// The publisher sequence is older than the remembered window, so it cannot be told whether it was accepted before; do not retry it.
    4014 PublisherSequenceTooOld "publisher_sequence_too_old" ws 4014 http 409 mqtt 0x83;
    /// Binary frames are not part of protocol version 1; send text frames, with encoding base64 for binary content.
    4015 BinaryFrame "binary_frame" ws 1003 http 400 mqtt 0x81;
    /// The peer broke the WebSocket or HTTP protocol; correct the client.
    4016 ProtocolViolation "protocol_violation" ws 1002 http 400 mqtt 0x82;
    /// A text is not valid UTF-8; correct the encoding.
    4017 InvalidUtf8 "invalid_utf8" ws 1007 http 400 mqtt 0x81;
    /// The request head is too long or has too many headers; send less.
    4018 HeadTooLarge "head_too_large" ws 4018 http 431 mqtt 0x95;
    /// The request or handshake was not complete in time; send it faster.
    4019 RequestTimeout "request_timeout" ws 4019 http 408 mqtt 0x82;
    /// A token is needed; give one in the connect request, the Authorization header or the token parameter.
    4030 TokenMissing "token_missing" ws 4030 http 401 mqtt 0x86;
    /// The token is not valid here; get a new one.
    4031 TokenInvalid "token_invalid" ws 4031 http 401 mqtt 0x87;
    /// The token has expired; get a new one.
    4032 TokenExpired "token_expired" ws 4032 http 401 mqtt 0x87;
    /// The token does not allow subscribing to this subject; ask for that permission.
    4033 SubscribeDenied "subscribe_denied" ws 4033 http 403 mqtt 0x87;
    /// The token does not allow publishing to this subject; ask for that permission.
    4034 PublishDenied "publish_denied" ws 4034 http 403 mqtt 0x87;
    /// This address is not in PublishAllowFromAddressList; publish from an allowed address.
    4035 AddressDenied "address_denied" ws 4035 http 403 mqtt 0x87;
    /// The page's origin is not in AllowedOrigins; add it there.
    4036 OriginDenied "origin_denied" ws 4036 http 403 mqtt 0x87;
    /// There is nothing at this path; see the welcome page for what there is.
    4040 NotFound "not_found" ws 4040 http 404 mqtt 0x83;
    /// The path does not take this method; see the Allow header.
    4041 MethodNotAllowed "method_not_allowed" ws 4041 http 405 mqtt 0x83;
    /// The REST interface is off; set Rest.Enable=true.
    4042 RestDisabled "rest_disabled" ws 4042 http 403 mqtt 0x83;
    /// The server's memory is full of messages within their promise; retry after a pause.
    4200 MemoryFull "memory_full" ws 4200 http 503 mqtt 0x97;
    /// The server has as many connections as it may; retry after a pause or connect to another member.
    4201 TooManyConnections "too_many_connections" ws 4201 http 503 mqtt 0x9F;
    /// The cluster has as many publishes under way as it may; retry after a pause.
    4202 Overloaded "overloaded" ws 4202 http 503 mqtt 0x97;
    /// The client did not read fast enough for its subscriptions; reconnect and resume, or subscribe with conflation.
    4300 SlowConsumer "slow_consumer" ws 4300 http 503 mqtt 0x97;
    /// This member goes away; reconnect after the announced time and resume.
    4301 GoingAway "going_away" ws 4301 http 503 mqtt 0x8B;
    /// Nothing was heard from the client in time; reconnect and resume.
    4302 KeepAliveTimeout "keep_alive_timeout" ws 4302 http 408 mqtt 0x8D;
    /// This member has no quorum; reconnect to another member and retry.
    4303 NoQuorum "no_quorum" ws 4303 http 503 mqtt 0x88;
    /// This member is behind the position asked for; reconnect to another member and resume.
    4304 MemberBehind "member_behind" ws 4304 http 503 mqtt 0x88;
    /// What this member remembers was replaced, so subscriptions do not go on as they were; reconnect and resume.
    4305 StateReplaced "state_replaced" ws 4305 http 503 mqtt 0x88;
    /// The server met a state it should not; reconnect, and report the server's log.
    4400 Internal "internal" ws 4400 http 500 mqtt 0x80;
}

impl Code {
    /// Who is at fault.
    #[must_use]
    pub fn class(self) -> Class {
        Class::of(self.number()).expect("every number of the table lies in a range; a test checks it")
    }

    /// The code of that number.
    #[must_use]
    pub fn from_number(number: u16) -> Option<Self> {
        Self::ALL.iter().copied().find(|code| code.number() == number)
    }

    /// What a publisher whose publish met this code is told.
    #[must_use]
    pub fn publish_status(self) -> PublishStatus {
        match self {
            Self::MessageTooLarge => PublishStatus::MessageSizeLimitExceeded,
            Self::TokenMissing
            | Self::TokenInvalid
            | Self::TokenExpired
            | Self::PublishDenied
            | Self::AddressDenied
            | Self::SubjectReserved => PublishStatus::Denied,
            _ => PublishStatus::Failed,
        }
    }
}

impl PublishStatus {
    /// Name on the wire.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Ok => "OK",
            Self::Failed => "FAILED",
            Self::Denied => "DENIED",
            Self::MessageSizeLimitExceeded => "MESSAGE_SIZE_LIMIT_EXCEEDED",
        }
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.number(), self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_names_are_unique_ordered_and_classed() {
        for pair in Code::ALL.windows(2) {
            assert!(pair[0].number() < pair[1].number(), "{} before {}", pair[0], pair[1]);
        }
        let mut names: Vec<_> = Code::ALL.iter().map(|c| c.name()).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), Code::ALL.len());
        for code in Code::ALL {
            assert!(Class::of(code.number()).is_some(), "{code}");
            assert_eq!(Code::from_number(code.number()), Some(*code));
            assert!(code.advice().ends_with('.') && code.advice().contains("; ") || code.advice().len() < 50);
        }
    }
}
