// Client of the native protocol v1: one connection at a time, its subscriptions and publishes, reconnect, resume.

import { candidates, classOf, delayMs } from './reconnect.js';
import { Subscription } from './subscriptions.js';

const VERSION = 1;
const CLIENT_NAME = 'sterna-console/1';
/** From opening the socket until `connected`. */
const CONNECT_TIMEOUT_MS = 10_000;
/** Between two pings while the server has not said otherwise. */
const KEEP_ALIVE_MS = 30_000;
/** A connection that stood this long ends the count of failed attempts. */
const STABLE_MS = 10_000;
/** Pause before a subscription that the server could not take just now is asked for again. */
const SUBSCRIBE_RETRY_MS = 2_000;
/** Publishes without a result; more are refused here, as the server would. */
export const IN_FLIGHT_MAX = 256;
/** Characters of one subscribe request; far below any server's limit for a frame. */
const SUBSCRIBE_CHARS_MAX = 8_192;

/** What to do when the server closed without an error that says it. */
const ADVICE = {
  rejected: 'The same would fail again; correct it, then connect.',
  lost: 'The server ended the connection without a reason, or cannot be reached at this address.',
};

/**
 * @typedef {object} Message as the server delivers it; absent fields have their defaults
 * @property {string} subject
 * @property {'update' | 'snapshot' | 'recovered' | 'historical'} type
 * @property {number} epoch
 * @property {number} seq
 * @property {number} time_ms when the cluster accepted it, Unix time
 * @property {string} content
 * @property {'base64'} [encoding]
 * @property {string} [closure]
 * @property {boolean} [retained]
 * @property {'standard' | 'guaranteed'} [qos]
 * @property {string} [reply_to]
 * @property {boolean} [compressed]
 * @property {string} [compression]
 */

/**
 * @typedef {object} Refusal
 * @property {number} [code]
 * @property {string} [name]
 * @property {string} [class]
 * @property {string} [subject]
 * @property {string} [detail]
 * @property {string} [advice] what to do, one sentence
 */

/**
 * @typedef {object} PublishResult
 * @property {'OK' | 'FAILED' | 'DENIED' | 'MESSAGE_SIZE_LIMIT_EXCEEDED' | 'UNKNOWN'} status `UNKNOWN`: the
 *   connection ended before the result
 * @property {number} [epoch]
 * @property {number} [seq]
 * @property {boolean} [duplicate]
 * @property {number} [code]
 * @property {string} [name]
 * @property {string} [advice]
 * @property {number} round_trip_ms
 */

/**
 * @typedef {object} State
 * @property {'idle' | 'connecting' | 'connected' | 'waiting' | 'refused'} name
 * @property {string} url
 * @property {number} [retry_at_ms] when the next attempt begins, on `performance.now()`'s clock
 * @property {Refusal} [reason] why the last connection ended
 * @property {object} [session] the server's `connected` frame
 */

/**
 * @typedef {object} Handlers
 * @property {(state: State) => void} state
 * @property {(message: Message, exact_ms: number | undefined) => void} message `exact_ms`: since this client
 *   published it
 * @property {(subscription: Subscription, what: 'wanted' | 'answered' | 'refused' | 'ended') => void} subscription
 * @property {(subscription: Subscription, message: Message, expected: number) => void} disorder
 * @property {(notice: object) => void} notice
 * @property {(refusal: Refusal) => void} error
 * @property {(round_trip_ms: number) => void} pong
 * @property {(renewed: {expires_in_ms?: number}) => void} renewed
 */

export class Client {
  /** @type {Map<string, Subscription>} */
  subscriptions = new Map();
  /** @type {State} */
  state = { name: 'idle', url: '' };

  #handlers;
  #url = '';
  #token = '';
  /** @type {WebSocket | undefined} */
  #socket;
  #timers = new Set();
  #attempt = 0;
  #connected_at = 0;
  /** Other members, from the last going-away notice. @type {string[]} */
  #servers = [];
  /** The time a going-away notice asked us to wait for. */
  #away_until = 0;
  /** The last error of this connection, which explains its end. @type {Refusal | undefined} */
  #last_error;
  #next_id = 1;
  /** Unanswered publishes. @type {Map<number, {sent_at: number, resolve: (result: PublishResult) => void}>} */
  #publishes = new Map();
  /** Subjects of unanswered subscribe requests. @type {Map<number, Set<string>>} */
  #subscribes = new Map();
  /** Unanswered ping. @type {{id: number, sent_at: number} | undefined} */
  #ping;
  /** When each recent publish with a closure left, for its exact latency. @type {Map<string, number>} */
  #sent = new Map();

  /** @param {Handlers} handlers */
  constructor(handlers) {
    this.#handlers = handlers;
  }

  /**
   * Connects, and keeps connecting until {@link disconnect} or a refusal.
   * @param {string} url ws:// or wss://
   * @param {string} token may be empty
   */
  connect(url, token) {
    this.#leave();
    this.#url = url;
    this.#token = token;
    this.#attempt = 0;
    this.#servers = [];
    this.#away_until = 0;
    this.state = { name: 'idle', url };
    this.#refused().forEach((subscription) => (subscription.state = 'waiting'));
    this.#open();
  }

  /** Ends the connection and all attempts; the subscriptions stay wanted. */
  disconnect() {
    this.#leave();
    this.#enter({ name: 'idle', url: this.#url });
  }

  /** Ends the wait before the next attempt. */
  reconnectNow() {
    if (this.state.name !== 'waiting') return;
    this.#clearTimers();
    this.#open();
  }

  /**
   * Renews the token on the live connection; also used for later connections.
   * @param {string} token
   */
  renew(token) {
    this.#token = token;
    this.#send({ op: 'token', id: this.#next_id++, token });
  }

  /** @param {import('./subscriptions.js').SubscribeItem[]} items a subject that is there already gets new settings */
  subscribe(items) {
    const wanted = items.map((item) => {
      const subscription = new Subscription(item);
      this.subscriptions.set(item.subject, subscription);
      this.#handlers.subscription(subscription, 'wanted');
      return subscription;
    });
    if (this.state.name === 'connected') this.#request(wanted);
  }

  /** @param {string[]} subjects */
  unsubscribe(subjects) {
    const known = subjects.filter((subject) => this.subscriptions.get(subject)?.state !== 'refused');
    for (const subject of subjects) this.#end(subject);
    if (this.state.name === 'connected' && known.length > 0) {
      this.#send({ op: 'unsubscribe', id: this.#next_id++, subjects: known });
    }
  }

  /**
   * Publishes once. A lost connection gives `UNKNOWN`; with a publisher id, publishing again with the same
   * sequence is safe.
   * @param {object} fields of the publish request, without op and id
   * @returns {Promise<PublishResult>} never rejects
   */
  publish(fields) {
    const local = (/** @type {string} */ name, /** @type {string} */ advice) =>
      Promise.resolve(/** @type {PublishResult} */ ({ status: 'FAILED', name, advice, round_trip_ms: 0 }));
    if (this.state.name !== 'connected') return local('not_connected', 'Connect first.');
    if (this.#publishes.size >= IN_FLIGHT_MAX) return local('too_many_in_flight', 'Wait for results.');
    return new Promise((resolve) => {
      const id = this.#next_id++;
      const sent_at = performance.now();
      this.#publishes.set(id, { sent_at, resolve });
      if (fields.closure) this.#remember(sentKey(fields), sent_at);
      this.#send({ op: 'publish', id, ...fields });
    });
  }

  // Connection

  #open() {
    const urls = candidates(this.#url, this.#servers);
    const url = urls[this.#attempt % urls.length];
    this.#last_error = undefined;
    this.#enter({ name: 'connecting', url, reason: this.state.reason });
    let socket;
    try {
      socket = new WebSocket(url);
    } catch (error) {
      this.#refuse({ name: 'address_invalid', detail: error.message, advice: 'Give an address like wss://host/ws.' });
      return;
    }
    this.#socket = socket;
    socket.onopen = () =>
      this.#send({ op: 'connect', version: VERSION, token: this.#token || undefined, client: CLIENT_NAME });
    socket.onmessage = (event) => this.#receive(event.data);
    socket.onclose = (event) => this.#lost(event.code, event.reason);
    this.#after(CONNECT_TIMEOUT_MS, () => {
      if (this.state.name === 'connecting') this.#abandon('connect_timeout');
    });
  }

  /** Gives a silent socket up without waiting for its closing handshake. */
  #abandon(/** @type {string} */ why) {
    const socket = this.#socket;
    this.#detach();
    socket?.close();
    this.#lost(1006, why);
  }

  /** The connection ended without our asking: wait and come back, unless that could only fail again. */
  #lost(/** @type {number} */ code, /** @type {string} */ why) {
    const stood_ms = this.#connected_at > 0 ? performance.now() - this.#connected_at : 0;
    this.#reset();
    const closed = classOf(code);
    const error = this.#last_error;
    const said = error?.code === code || error?.name === why ? error : undefined;
    const reason = said ?? { code, name: why || 'connection_lost', class: closed, advice: ADVICE[closed] };
    if (closed === 'rejected') {
      this.#refuse(reason);
      return;
    }
    if (stood_ms >= STABLE_MS) this.#attempt = 0;
    const asked_ms = this.#away_until - performance.now();
    const wait_ms = this.#away_until > 0 ? Math.max(0, asked_ms) : delayMs(this.#attempt, closed);
    // Members named by a notice come first in the candidates, so the first attempt after it begins with them.
    this.#attempt = this.#away_until > 0 ? 0 : this.#attempt + 1;
    this.#away_until = 0;
    this.#enter({ name: 'waiting', url: this.#url, retry_at_ms: performance.now() + wait_ms, reason });
    this.#after(wait_ms, () => this.#open());
  }

  #refuse(/** @type {Refusal} */ reason) {
    this.#leave();
    this.#enter({ name: 'refused', url: this.#url, reason });
  }

  #leave() {
    const socket = this.#socket;
    this.#detach();
    socket?.close(1000);
    this.#reset();
  }

  #detach() {
    if (!this.#socket) return;
    this.#socket.onopen = this.#socket.onmessage = this.#socket.onclose = null;
    this.#socket = undefined;
  }

  /** Forgets what belonged to the connection. */
  #reset() {
    this.#detach();
    this.#clearTimers();
    this.#connected_at = 0;
    this.#ping = undefined;
    this.#subscribes.clear();
    for (const subscription of this.subscriptions.values()) {
      if (subscription.state === 'active') subscription.state = 'waiting';
    }
    const unanswered = [...this.#publishes.values()];
    this.#publishes.clear();
    for (const { sent_at, resolve } of unanswered) {
      resolve({
        status: 'UNKNOWN',
        name: 'connection_lost',
        advice: 'The connection ended before the result; publish again with the same publisher id and sequence.',
        round_trip_ms: performance.now() - sent_at,
      });
    }
  }

  #enter(/** @type {State} */ state) {
    this.state = state;
    this.#handlers.state(state);
  }

  #after(/** @type {number} */ ms, /** @type {() => void} */ act) {
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      act();
    }, ms);
    this.#timers.add(timer);
  }

  #clearTimers() {
    for (const timer of this.#timers) clearTimeout(timer);
    this.#timers.clear();
  }

  #send(/** @type {object} */ frame) {
    if (this.#socket?.readyState === WebSocket.OPEN) this.#socket.send(JSON.stringify(frame));
  }

  /** Notices a dead connection: the browser hides the WebSocket's own pings from us. */
  #watch(/** @type {number} */ interval_ms) {
    this.#after(interval_ms, () => {
      if (this.#ping) {
        this.#abandon('keep_alive_timeout');
        return;
      }
      this.#pingOnce();
      this.#watch(interval_ms);
    });
  }

  #pingOnce() {
    this.#ping = { id: this.#next_id++, sent_at: performance.now() };
    this.#send({ op: 'ping', id: this.#ping.id });
  }

  // Subscriptions

  /** Asks for subscriptions, each from its own position, in requests of bounded size. */
  #request(/** @type {Subscription[]} */ subscriptions) {
    let subjects = [];
    let chars = 0;
    const flush = () => {
      if (subjects.length === 0) return;
      const id = this.#next_id++;
      this.#subscribes.set(id, new Set(subjects.map((item) => item.subject)));
      this.#send({ op: 'subscribe', id, subjects });
      subjects = [];
      chars = 0;
    };
    for (const subscription of subscriptions) {
      const item = subscription.request();
      const item_chars = JSON.stringify(item).length;
      if (chars + item_chars > SUBSCRIBE_CHARS_MAX) flush();
      subjects.push(item);
      chars += item_chars;
    }
    flush();
  }

  #refused() {
    return [...this.subscriptions.values()].filter(({ state }) => state === 'refused');
  }

  #end(/** @type {string} */ subject) {
    const subscription = this.subscriptions.get(subject);
    if (subscription && this.subscriptions.delete(subject)) this.#handlers.subscription(subscription, 'ended');
  }

  /** A subscribe request was refused: for good, or to be tried again in a while. */
  #refuseSubscribe(/** @type {string} */ subject, /** @type {Refusal} */ refusal) {
    const subscription = this.subscriptions.get(subject);
    if (!subscription) return;
    subscription.refusal = refusal;
    subscription.state = refusal.class === 'rejected' ? 'refused' : 'waiting';
    this.#handlers.subscription(subscription, 'refused');
    if (subscription.state === 'waiting') {
      this.#after(SUBSCRIBE_RETRY_MS, () => {
        if (this.subscriptions.get(subject) === subscription) this.#request([subscription]);
      });
    }
  }

  /** Takes an answered subject off its request. */
  #answered(/** @type {number | undefined} */ id, /** @type {string} */ subject) {
    const subjects = this.#subscribes.get(id ?? 0);
    subjects?.delete(subject);
    if (subjects?.size === 0) this.#subscribes.delete(id ?? 0);
  }

  // Frames

  #receive(/** @type {string} */ text) {
    let frame;
    try {
      frame = JSON.parse(text);
    } catch {
      this.#handlers.error({
        name: 'not_sterna',
        advice: 'The server does not speak the native protocol; check the address.',
      });
      return undefined;
    }
    switch (frame.op) {
      case 'message':
        return this.#onMessage(frame);
      case 'published':
        return this.#onPublished(frame);
      case 'connected':
        return this.#onConnected(frame);
      case 'subscribed':
        return this.#onSubscribed(frame);
      case 'error':
        return this.#onError(frame);
      case 'notice':
        return this.#onNotice(frame);
      case 'pong':
        return this.#onPong(frame);
      case 'token_renewed':
        return this.#onRenewed(frame);
      default: // A later server may say more than this client knows; `unsubscribed` needs no action.
        return undefined;
    }
  }

  #onConnected(frame) {
    this.#clearTimers();
    this.#connected_at = performance.now();
    this.#servers = [];
    this.#enter({ name: 'connected', url: this.#socket.url, session: frame });
    this.#request([...this.subscriptions.values()].filter(({ state }) => state !== 'refused'));
    this.#pingOnce();
    this.#watch(frame.keep_alive_ms ?? KEEP_ALIVE_MS);
  }

  #onSubscribed(frame) {
    this.#answered(frame.id, frame.subject);
    const subscription = this.subscriptions.get(frame.subject);
    if (!subscription) return;
    subscription.apply_subscribed(frame);
    this.#handlers.subscription(subscription, 'answered');
  }

  #onMessage(frame) {
    const subscription = this.subscriptions.get(frame.subject);
    const expected = subscription?.apply_message(frame);
    if (expected !== undefined) this.#handlers.disorder(subscription, frame, expected);
    const own = frame.closure && (frame.type === 'update' || frame.type === 'recovered');
    const sent_at = own ? this.#sent.get(sentKey(frame)) : undefined;
    this.#handlers.message(frame, sent_at === undefined ? undefined : performance.now() - sent_at);
  }

  #onPublished(frame) {
    const publish = this.#publishes.get(frame.id);
    if (!publish) return;
    this.#publishes.delete(frame.id);
    publish.resolve({ ...frame, round_trip_ms: performance.now() - publish.sent_at });
  }

  #onError(frame) {
    this.#last_error = frame;
    this.#handlers.error(frame);
    const asked = this.#subscribes.get(frame.id);
    if (asked) {
      for (const subject of frame.subject === undefined ? [...asked] : [frame.subject]) {
        this.#answered(frame.id, subject);
        this.#refuseSubscribe(subject, frame);
      }
    } else if (this.#publishes.has(frame.id)) {
      this.#onPublished({ ...frame, status: 'FAILED' });
    } else if (this.state.name === 'connecting' && frame.class === 'rejected') {
      this.#refuse(frame);
    } else if (frame.id === undefined && frame.subject !== undefined) {
      this.#refuseSubscribe(frame.subject, frame); // The server ended it: a renewed token no longer allows it.
    }
  }

  #onNotice(frame) {
    this.#handlers.notice(frame);
    if (frame.notice !== 'going_away') return;
    this.#servers = frame.servers ?? [];
    this.#away_until = performance.now() + frame.reconnect_after_ms;
    // The server may keep the old connection until then; we go at the announced time in any case.
    this.#after(frame.reconnect_after_ms, () => this.#abandon('going_away'));
  }

  #onRenewed(frame) {
    this.#handlers.renewed(frame);
    // What the old token could not, the new one may.
    this.#request(this.#refused());
  }

  #onPong(frame) {
    if (frame.id !== this.#ping?.id) return;
    this.#handlers.pong(performance.now() - this.#ping.sent_at);
    this.#ping = undefined;
  }

  #remember(/** @type {string} */ key, /** @type {number} */ sent_at) {
    this.#sent.set(key, sent_at);
    if (this.#sent.size > 4 * IN_FLIGHT_MAX) this.#sent.delete(this.#sent.keys().next().value);
  }
}

/** A message of ours is recognised by its subject and closure. */
function sentKey(/** @type {{subject: string, closure?: string}} */ { subject, closure }) {
  return `${subject}\n${closure}`;
}
