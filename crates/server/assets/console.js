// The Debug Console's entry: joins client, feed and views, and holds the keyboard shortcuts.

import { ConnectView } from './connect_view.js';
import { element } from './dom.js';
import { Feed } from './feed.js';
import { duration, position, refusal } from './format.js';
import { InspectorView } from './inspector_view.js';
import { LiveView } from './live_view.js';
import { LogView } from './log_view.js';
import { Client } from './protocol.js';
import { PublishView } from './publish_view.js';
import { SubscribeView } from './subscribe_view.js';

const log = new LogView();
const feed = new Feed();

const client = new Client({
  state(state) {
    logState(state);
    connect_view.showState(state);
    subscribe_view.refresh();
  },
  message(message, exact_ms) {
    const received_ms = Date.now();
    feed.push({ message, received_ms, latency_ms: received_ms - message.time_ms, exact_ms });
    live_view.arrived();
  },
  subscription(subscription, what) {
    logSubscription(subscription, what);
    subscribe_view.refresh();
  },
  disorder({ subject }, message, expected) {
    log.add('bad', `${subject} out of order`, `expected seq ${expected}, got ${message.seq} (${message.type})`);
  },
  notice(notice) {
    logNotice(notice);
    if (notice.notice === 'token_to_expire') connect_view.showExpiry(notice.expires_in_ms);
  },
  error(error) {
    log.add('bad', error.subject ? `Refused for ${error.subject}` : 'Refused', refusal(error));
  },
  pong(round_trip_ms) {
    connect_view.showRoundTrip(round_trip_ms);
  },
  renewed({ expires_in_ms }) {
    log.add('good', 'Token renewed', expires_in_ms === undefined ? '' : `expires in ${duration(expires_in_ms)}`);
    connect_view.showExpiry(expires_in_ms);
  },
});

const connect_view = new ConnectView(client);
const subscribe_view = new SubscribeView(client, (subject) => live_view.filter(subject));
const publish_view = new PublishView(client, (subject, result) =>
  log.add('bad', `Publish to ${subject}: ${result.status}`, refusal(result)),
);
const inspector_view = new InspectorView(
  () => {
    live_view.select(undefined);
    element('list').focus();
  },
  (subject) => publish_view.offer(subject),
);
const live_view = new LiveView(feed, (entry) => inspector_view.show(entry));

/** @param {import('./protocol.js').State} state */
function logState({ name, url, reason, session, retry_at_ms }) {
  if (name === 'connecting') log.add('info', 'Connecting', url);
  if (name === 'connected')
    log.add('good', 'Connected', `${session.server} · ${session.delivery} · session ${session.session}`);
  if (name === 'refused') log.add('bad', 'Connection refused, not trying again', refusal(reason));
  if (name === 'idle') log.add('info', 'Disconnected');
  if (name === 'waiting') {
    log.add('warn', `Connection lost, trying again in ${duration(retry_at_ms - performance.now())}`, refusal(reason));
  }
}

/**
 * @param {import('./subscriptions.js').Subscription} subscription
 * @param {'wanted' | 'answered' | 'refused' | 'ended'} what
 */
function logSubscription({ subject, recovery, position: at, missed }, what) {
  if (what === 'ended') log.add('info', `Unsubscribed ${subject}`);
  if (what !== 'answered') return;
  const tone = recovery === 'gap' || recovery === 'reset' ? 'warn' : 'good';
  const lost = missed ? `, missed ${missed.from} to ${missed.to}` : '';
  log.add(tone, `Subscribed ${subject}: ${recovery}${lost}`, `from ${position(at)}`);
}

/** @param {{notice: string, expires_in_ms?: number, reconnect_after_ms?: number, servers?: string[]}} notice */
function logNotice(notice) {
  if (notice.notice === 'going_away') {
    const where = notice.servers?.length ? `to ${notice.servers.join(', ')}` : 'to the same address';
    log.add('warn', 'This member goes away', `reconnecting in ${duration(notice.reconnect_after_ms)} ${where}`);
  } else if (notice.notice === 'token_to_expire') {
    log.add(
      'warn',
      'The token is about to expire',
      `in ${duration(notice.expires_in_ms)}; enter a new one and renew it`,
    );
  } else {
    log.add('info', `Notice ${notice.notice}`, JSON.stringify(notice));
  }
}

/** Single keys, outside fields and while the user wants them. */
const KEYS = {
  '/': () => {
    element('filter').focus();
    element('filter').select();
  },
  p: () => live_view.togglePause(),
  c: () => inspector_view.copyRow(),
};

const targetOf = (/** @type {Event} */ event) => /** @type {Element} */ (event.target);

document.addEventListener('keydown', (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented || event.repeat) return;
  if (!element('keys-on').checked || targetOf(event).matches('input, select, textarea')) return;
  const act = KEYS[event.key];
  if (!act) return;
  event.preventDefault();
  act();
});

/** A field that the browser finds wrong must be in sight to be corrected. */
document.addEventListener(
  'invalid',
  (event) => {
    const folded = targetOf(event).closest('details');
    if (folded) folded.open = true;
  },
  true,
);

addEventListener('online', () => client.reconnectNow());
