//! One publish through the pure crates, from the bytes of its frame to the bytes that every subscriber gets: decoded,
//! judged, given its position, encoded once, offered to the audience. What the sockets cost is not in it.

use std::sync::Arc;

use sterna_broker::core::{Core, CoreLimits, CoreSettings, Effect, Outputs};
use sterna_broker::session::{Authority, Begun, Now, Output, Rules, Session};
use sterna_broker::shard::{Audiences, Sessions};
use sterna_model::{
    Code, ConnectionId, DeliveryMode, Identity, Kind, Permissions, Publish, Qos, Request, ServerInfo,
    SessionId, ShardId, Start, SubscribeItem,
};
use sterna_replica::{Nonce, Settings, Slot};
use sterna_wire::native;
use sterna_wire::websocket::{self, Decoder, Opcode, Role};

const BEGIN_MS: u64 = 1_800_000_000_000;
/// Time between two ticks of the core; there is a publish each millisecond.
const TICK_MS: u64 = 25;
const SUBJECT: &str = "/stocks/NYSE/IBM";
const MESSAGE_BYTES_MAX: usize = 64 * 1024;
const MASK: [u8; 4] = [1, 2, 3, 4];

/// A member without threads and sockets: its publisher and its subscribers are sessions of one shard.
pub(crate) struct MessagePath {
    rules: Rules,
    core: Core,
    audiences: Audiences,
    sessions: Table,
    decoder: Decoder,
    shared: websocket::Shared,
    /// The publisher's frame as it is on the wire.
    frame: Vec<u8>,
    input: Vec<u8>,
    scratch: Vec<u8>,
    outputs: Vec<Output>,
    given: Outputs,
    now_ms: u64,
}

/// The publisher's session, and behind it the subscribers'.
struct Table(Vec<Session>);

impl Sessions for Table {
    fn session_mut(&mut self, connection: u32) -> &mut Session {
        &mut self.0[connection as usize]
    }
}

struct Anybody;

impl Authority for Anybody {
    fn verify(&self, _token: Option<&str>, _now_s: u64) -> Result<Arc<Identity>, Code> {
        Ok(Arc::new(Identity { permissions: Permissions::All, expires_at_s: None }))
    }
}

impl MessagePath {
    /// A member with that many subscribers, and a publisher of messages with that much content.
    pub(crate) fn new(subscribers: u32, content_bytes: usize) -> Self {
        let limits = CoreLimits {
            mode: DeliveryMode::Guaranteed,
            history_messages_max: 100,
            history_expire_ms: 180_000,
            snapshot_expire_ms: None,
            cache_bytes_max: 64 << 20,
            shards: 1,
        };
        let info = ServerInfo {
            software: "sterna",
            mode: DeliveryMode::Guaranteed,
            message_bytes_max: MESSAGE_BYTES_MAX,
            keep_alive_ms: 30_000,
        };
        let mut path = Self {
            rules: Rules {
                authority: Box::new(Anybody),
                info: Arc::new(info),
                subscriptions_max: 100,
                renew_before_ms: 0,
            },
            core: leading_core(limits, BEGIN_MS),
            audiences: Audiences::new(1),
            sessions: Table(Vec::new()),
            decoder: Decoder::new(Role::Server, false),
            shared: websocket::Shared::default(),
            frame: publish_frame(content_bytes),
            input: Vec::new(),
            scratch: Vec::new(),
            outputs: Vec::new(),
            given: Outputs::default(),
            now_ms: BEGIN_MS,
        };
        for index in 0..=subscribers {
            path.connect(index);
        }
        for index in 1..=subscribers {
            path.subscribe(index);
        }
        path
    }

    /// Publishes once; returns how many subscribers there are for the frame, and the frame's length.
    pub(crate) fn publish(&mut self) -> (usize, usize) {
        self.now_ms += 1;
        if self.now_ms.is_multiple_of(TICK_MS) {
            self.core.on_tick(now(self.now_ms), &mut self.given);
        }
        self.input.clone_from(&self.frame);
        let step = self.decoder.next(&mut self.input, &mut self.shared, MESSAGE_BYTES_MAX);
        let step = step.expect("a well-formed frame");
        let Some(websocket::Event::Text(text)) = step.event else { panic!("a whole text frame") };
        let request = native::decode(text).expect("a valid request");
        self.request(0, request);
        self.obey_outputs();
        // The publisher's result comes after it.
        let delivered = self.given.effects.drain(..).find_map(|effect| match effect {
            Effect::Deliver { subject, record, .. } => Some((subject, record)),
            _ => None,
        });
        let (subject, record) = delivered.expect("an audience");
        let frame = encode(&record, &mut self.scratch);
        let audience = self.audiences.hear(subject, &record).expect("someone subscribes");
        (audience.subscribers().len(), frame.len())
    }

    fn connect(&mut self, index: u32) {
        self.sessions.0.push(Session::new(true));
        self.request(index, Request::Connect { version: 1, token: None, client: None });
        self.outputs.clear();
    }

    fn subscribe(&mut self, index: u32) {
        let item = SubscribeItem { subject: SUBJECT.into(), start: Start::default(), conflation_ms: 0 };
        self.request(index, Request::Subscribe { id: None, items: vec![item] });
        self.sessions.0[index as usize].fetch_more(connection(index), &mut self.outputs);
        self.obey_outputs();
        let Some(Effect::Subscribed { to, id, conflation_ms, subject, name, cut, page }) =
            self.given.effects.pop()
        else {
            panic!("a subscription")
        };
        let begun = Begun { id, conflation_ms, subject, name, cut, page };
        let mut session = std::mem::take(&mut self.sessions.0[index as usize]);
        session.on_subscribed(to, begun, &mut self.audiences, &mut self.sessions, &mut self.outputs);
        self.sessions.0[index as usize] = session;
        self.outputs.clear();
    }

    fn request(&mut self, index: u32, request: Request) {
        let now = now(self.now_ms);
        let me = (connection(index), SessionId(u64::from(index)));
        self.sessions.0[index as usize].handle_request(now, me, &self.rules, request, &mut self.outputs);
    }

    /// Hands what the session wants of the core to the core.
    fn obey_outputs(&mut self) {
        for output in self.outputs.drain(..) {
            match output {
                Output::Core(event) => self.core.handle(now(self.now_ms), event, &mut self.given),
                other => panic!("not expected: {other:?}"),
            }
        }
        self.core.flush(now(self.now_ms), &mut self.given);
    }
}

fn now(now_ms: u64) -> Now {
    Now { unix_ms: now_ms, monotonic_us: now_ms * 1000 }
}

/// A cluster of one, once it leads.
fn leading_core(limits: CoreLimits, now_ms: u64) -> Core {
    let replica = Settings::new(Slot(0), Nonce(1), 1, 1, 1);
    let mut core =
        Core::new(CoreSettings { limits, replica, seed: 1 }, now(now_ms)).expect("settings that fit");
    while core.leader().is_none() || !core.status().has_state {
        core.on_tick(now(now_ms), &mut Outputs::default());
    }
    core
}

fn connection(index: u32) -> ConnectionId {
    ConnectionId { shard: ShardId(0), index, generation: 0 }
}

/// A message's frame, as all subscribers share it.
fn encode(record: &sterna_model::Record, scratch: &mut Vec<u8>) -> Arc<[u8]> {
    scratch.clear();
    websocket::frame_with(Opcode::Text, false, scratch, |out| {
        native::encode_message(Kind::Update, record, out);
    });
    scratch.as_slice().into()
}

fn publish_frame(content_bytes: usize) -> Vec<u8> {
    let publish = Publish {
        content: vec![b'x'; content_bytes].into(),
        closure: "".into(),
        retained: true,
        qos: Qos::Guaranteed,
        compression: None,
        stamp: None,
    };
    let request =
        Request::Publish { id: None, subject: SUBJECT.into(), reply_to: None, publish: Box::new(publish) };
    let (mut json, mut frame) = (Vec::new(), Vec::new());
    native::encode_request(&request, &mut json);
    websocket::masked_frame(Opcode::Text, &json, false, MASK, &mut frame);
    frame
}
