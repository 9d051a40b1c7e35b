// The connection panel: where to, with which token, and how it stands.

import { element, make, setText } from './dom.js';
import { duration, refusal, size } from './format.js';

/** Where server and token are kept, only while the user wants them remembered. */
const MEMORY_KEY = 'sterna.console';
const TICK_MS = 1_000;

/** @typedef {import('./protocol.js').Client} Client */
/** @typedef {import('./protocol.js').State} State */

/** Tone and words of the badge for each state. */
const BADGE = {
  idle: ['', 'Not connected'],
  connecting: ['warn', 'Connecting…'],
  connected: ['good', 'Connected'],
  waiting: ['warn', 'Reconnecting'],
  refused: ['bad', 'Refused'],
};

export class ConnectView {
  #client;
  #url = element('url');
  #token = element('token');
  #remember = element('remember');
  #connect = element('connect');
  #disconnect = element('disconnect');
  #renew = element('renew');
  /** On `performance.now()`'s clock. @type {number | undefined} */
  #token_expires_at;
  /** @type {number | undefined} */
  #round_trip_ms;

  /** @param {Client} client */
  constructor(client) {
    this.#client = client;
    this.#recall();
    element('connect-form').addEventListener('submit', (event) => {
      event.preventDefault();
      this.#submit();
    });
    this.#disconnect.addEventListener('click', () => client.disconnect());
    this.#renew.addEventListener('click', () => {
      this.#keep();
      client.renew(this.#token.value);
    });
    this.#remember.addEventListener('change', () => this.#keep());
    const show = element('token-show');
    show.addEventListener('click', () => {
      const shown = this.#token.type === 'password';
      this.#token.type = shown ? 'text' : 'password';
      show.setAttribute('aria-pressed', String(shown));
      setText(show, shown ? 'Hide' : 'Show');
    });
    setInterval(() => this.#tick(), TICK_MS);
  }

  /** @param {State} state */
  showState(state) {
    const [tone, words] = BADGE[state.name];
    const pill = element('state');
    pill.dataset.tone = tone;
    pill.dataset.state = state.name;
    setText(element('state-said'), words);
    this.#showButtons(state.name);
    this.#showTrouble(state);
    this.#token_expires_at = undefined;
    if (state.session) this.showExpiry(state.session.token_expires_in_ms);
    this.#tick();
  }

  /** @param {number | undefined} expires_in_ms */
  showExpiry(expires_in_ms) {
    this.#token_expires_at = expires_in_ms === undefined ? undefined : performance.now() + expires_in_ms;
    this.#tick();
  }

  /** @param {number} round_trip_ms */
  showRoundTrip(round_trip_ms) {
    this.#round_trip_ms = round_trip_ms;
    this.#showSession();
  }

  #submit() {
    this.#url.value = websocketAddress(this.#url.value.trim());
    this.#keep();
    this.#round_trip_ms = undefined;
    this.#client.connect(this.#url.value, this.#token.value);
  }

  #recall() {
    this.#url.value = ownAddress();
    try {
      const kept = localStorage.getItem(MEMORY_KEY);
      if (!kept) return;
      const { url, token } = JSON.parse(kept);
      this.#url.value = url;
      this.#token.value = token;
      this.#remember.checked = true;
    } catch {
      this.#remember.disabled = true; // The browser gives this page no storage.
    }
  }

  #keep() {
    if (this.#remember.disabled) return;
    if (this.#remember.checked) {
      localStorage.setItem(MEMORY_KEY, JSON.stringify({ url: this.#url.value, token: this.#token.value }));
    } else {
      localStorage.removeItem(MEMORY_KEY);
    }
  }

  #showButtons(/** @type {State['name']} */ name) {
    const active = document.activeElement;
    const tried = name === 'connecting' || name === 'waiting';
    this.#connect.hidden = name === 'connected' || name === 'connecting';
    setText(this.#connect, name === 'waiting' ? 'Connect now' : 'Connect');
    this.#disconnect.hidden = name === 'idle' || name === 'refused';
    setText(this.#disconnect, tried ? 'Stop' : 'Disconnect');
    this.#renew.hidden = name !== 'connected';
    // A button that goes away hands its focus on.
    if (active instanceof HTMLElement && active.hidden && active.closest('#connect-form')) {
      (this.#connect.hidden ? this.#disconnect : this.#connect).focus();
    }
  }

  #showTrouble(/** @type {State} */ { name, reason }) {
    const trouble = element('connect-trouble');
    trouble.hidden = !reason || name === 'connected';
    trouble.dataset.tone = name === 'refused' ? 'bad' : 'warn';
    setText(trouble, reason ? refusal(reason) : '');
  }

  /** Writes what changes with time alone. */
  #tick() {
    const { state } = this.#client;
    let words = BADGE[state.name][1];
    if (state.name === 'waiting') {
      const left_s = Math.ceil(Math.max(0, state.retry_at_ms - performance.now()) / 1_000);
      words += ` in ${left_s} s`;
    }
    setText(element('state'), words);
    this.#showSession();
  }

  #showSession() {
    const { session, url } = this.#client.state;
    element('session-more').hidden = !session;
    const line = element('session-line');
    if (!session) {
      setText(line, '');
      return;
    }
    const trip = this.#round_trip_ms === undefined ? [] : [duration(this.#round_trip_ms)];
    const expiry = this.#expiry();
    setText(
      line,
      [session.server, session.delivery, ...trip, ...(expiry ? [`token expires ${expiry}`] : [])].join(' · '),
    );
    const { protocol, hostname, host } = new URL(url);
    showFacts(element('session'), {
      Id: session.session,
      Member: protocol === 'ws:' && !isLocal(hostname) ? `${host}, not encrypted` : host,
      'Largest content': size(session.message_bytes_max),
      'Keep-alive': duration(session.keep_alive_ms),
      'Round trip': trip[0] ?? '–',
      Token: expiry ? `expires ${expiry}` : 'does not expire',
    });
  }

  /** When the token expires, in words; empty when it does not. */
  #expiry() {
    if (this.#token_expires_at === undefined) return '';
    const left_ms = this.#token_expires_at - performance.now();
    return left_ms > 0 ? `in ${duration(Math.ceil(left_ms / 1_000) * 1_000)}` : 'now';
  }
}

/**
 * Fills a description list, leaving alone what has not changed.
 * @param {HTMLElement} list
 * @param {Record<string, string>} facts
 */
export function showFacts(list, facts) {
  const names = Object.keys(facts);
  if (list.childElementCount !== 2 * names.length) {
    list.replaceChildren(...names.flatMap(() => [make('dt'), make('dd')]));
  }
  names.forEach((name, index) => {
    setText(list.children[2 * index], name);
    setText(list.children[2 * index + 1], String(facts[name]));
  });
}

/** This server, as a WebSocket address. */
function ownAddress() {
  return websocketAddress(new URL('ws', location.href).href);
}

/** Takes http addresses, and a bare host and port, as WebSocket ones. */
function websocketAddress(/** @type {string} */ text) {
  if (/^https?:\/\//i.test(text)) return text.replace(/^http/i, 'ws');
  return /^\w+:\/\//.test(text) ? text : `${location.protocol === 'https:' ? 'wss' : 'ws'}://${text}`;
}

function isLocal(/** @type {string} */ hostname) {
  return hostname === 'localhost' || hostname === '[::1]' || hostname.startsWith('127.');
}
