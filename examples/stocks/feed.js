// The native protocol over a plain WebSocket: subscribe with history, stay connected, resume.

const CLIENT_NAME = 'stocks-example/1';
/** Pauses between attempts: doubled from the least to the most, less a random part of up to one half. */
const RETRY_MS_MIN = 500;
const RETRY_MS_MAX = 20_000;
/** How long a ping may stay unanswered. */
const PONG_MS_MAX = 10_000;
/** Close codes of the WebSocket standard that say the client is at fault. */
const REJECTED_STANDARD = [1002, 1003, 1007, 1009];
/** Rejected, but a slow handshake may be tried again. */
const REQUEST_TIMEOUT = 4019;

/** Messages of some subjects, for as long as the page lives. */
class Feed {
  /** What is known of each subject: its last position, and the cut that its past still has to reach. */
  #subjects;
  #url;
  #history;
  #handlers;
  #socket;
  #failures = 0;
  #heard_at = 0;
  /** When a member that goes away wants to see us again. */
  #return_at = 0;
  #timer;

  /**
   * @param {string} url ws:// or wss://
   * @param {string[]} subjects
   * @param {number} history messages to begin with
   * @param {object} handlers `state(tone, words)`, `message(message)`,
   *   `begin(subject, recovery)`: what follows replaces what was shown, unless recovery is `complete`
   */
  constructor(url, subjects, history, handlers) {
    this.#url = url;
    this.#subjects = new Map(subjects.map((subject) => [subject, {}]));
    this.#history = history;
    this.#handlers = handlers;
    this.#open();
  }

  #open() {
    this.#handlers.state('wait', 'connecting');
    try {
      this.#socket = new WebSocket(this.#url);
    } catch {
      this.#handlers.state('bad', `${this.#url} is no address of a server`);
      return;
    }
    this.#socket.onopen = () => this.#send({ op: 'connect', client: CLIENT_NAME });
    this.#socket.onmessage = ({ data }) => this.#receive(JSON.parse(data));
    this.#socket.onclose = ({ code, reason }) => this.#onClose(code, reason);
  }

  #send(frame) {
    if (this.#socket.readyState === WebSocket.OPEN) this.#socket.send(JSON.stringify(frame));
  }

  #receive(frame) {
    this.#heard_at = performance.now();
    switch (frame.op) {
      case 'connected':
        this.#failures = 0;
        this.#handlers.state('good', 'live');
        this.#subscribe();
        this.#watch(2 * frame.keep_alive_ms);
        break;
      case 'subscribed':
        this.#onSubscribed(frame);
        break;
      case 'message':
        this.#onMessage(frame);
        break;
      case 'notice':
        if (frame.notice === 'going_away') this.#leave(frame.reconnect_after_ms);
        break;
      case 'error':
        if (frame.subject) this.#handlers.state('bad', `${frame.subject}: ${frame.advice}`);
        break;
      default: // A later server may say more than this page knows.
    }
  }

  #subscribe() {
    const subjects = [...this.#subjects].map(([subject, known]) => {
      // One that lost a part of its past begins anew.
      const resumes = known.position && !known.cut;
      return resumes ? { subject, ...known.position } : { subject };
    });
    this.#send({ op: 'subscribe', id: 1, subjects, history: this.#history });
  }

  #onSubscribed({ subject, recovery, epoch, seq }) {
    const known = this.#subjects.get(subject);
    if (recovery !== 'complete') {
      known.position = { epoch, seq };
      known.cut = seq > 0 ? seq : undefined;
    }
    this.#handlers.begin(subject, recovery);
  }

  #onMessage(message) {
    const { subject, epoch, seq } = message;
    const known = this.#subjects.get(subject);
    const last = known.position;
    if (epoch > last.epoch || (epoch === last.epoch && seq > last.seq)) known.position = { epoch, seq };
    if (known.cut && seq >= known.cut) known.cut = undefined;
    this.#handlers.message(message);
  }

  /** Notices a dead connection: the browser does not show the WebSocket's own pings. */
  #watch(silence_ms_max) {
    clearTimeout(this.#timer);
    const silent_ms = performance.now() - this.#heard_at;
    this.#timer = setTimeout(
      () => {
        if (performance.now() - this.#heard_at < silence_ms_max) {
          this.#watch(silence_ms_max);
          return;
        }
        this.#send({ op: 'ping' });
        const pinged_at = performance.now();
        this.#timer = setTimeout(() => {
          if (this.#heard_at > pinged_at) this.#watch(silence_ms_max);
          else this.#abandon();
        }, PONG_MS_MAX);
      },
      Math.max(silence_ms_max - silent_ms, 1_000),
    );
  }

  #leave(reconnect_after_ms) {
    this.#return_at = performance.now() + reconnect_after_ms;
    this.#abandon();
  }

  /** Gives the connection up without waiting for the other side. */
  #abandon() {
    this.#socket.onmessage = this.#socket.onclose = null;
    this.#socket.close(1000);
    this.#onClose(1000, '');
  }

  #onClose(code, reason) {
    clearTimeout(this.#timer);
    const rejected = (code >= 4000 && code < 4200 && code !== REQUEST_TIMEOUT) || REJECTED_STANDARD.includes(code);
    if (rejected) {
      this.#handlers.state('bad', `refused: ${code} ${reason}`);
      return;
    }
    const full_ms = Math.min(RETRY_MS_MIN * 2 ** this.#failures, RETRY_MS_MAX);
    const asked_ms = this.#return_at - performance.now();
    const wait_ms = this.#return_at > 0 ? Math.max(asked_ms, 0) : full_ms - (Math.random() * full_ms) / 2;
    this.#failures += 1;
    this.#return_at = 0;
    this.#handlers.state('wait', `no connection, next attempt in ${Math.ceil(wait_ms / 1000)} s`);
    this.#timer = setTimeout(() => this.#open(), wait_ms);
  }
}
