// The publish form: one message or a repetition, its options, and the results.

import { base64OfBytes, bytesOfBase64, bytesOfText, compress } from './content.js';
import { element, numberIn, setText } from './dom.js';
import { count, duration, position, timeOfDay } from './format.js';

/** Publishes of a repetition that may be unanswered at once. */
const IN_FLIGHT_MAX = 64;
/** Shortest time between two writes of a repetition's progress. */
const PROGRESS_INTERVAL_MS = 100;

/** @typedef {import('./protocol.js').Client} Client */
/** @typedef {import('./protocol.js').PublishResult} PublishResult */

const pause = (/** @type {number} */ ms) => new Promise((resolve) => setTimeout(resolve, ms));

export class PublishView {
  #client;
  #onFailure;
  #form = element('publish-form');
  #result = element('publish-result');
  #stop = element('publish-stop');
  #send = element('publish-send');
  #closure = element('closure');
  #publisher = element('publisher');
  #sequence = element('publisher-seq');
  /** Tells this page's messages from everybody else's. */
  #name = `console-${crypto.getRandomValues(new Uint32Array(1))[0].toString(16).padStart(8, '0')}`;
  #next_sequence = 1;
  #published = 0;
  /** Whether a repetition runs. */
  #running = false;

  /**
   * @param {Client} client
   * @param {(subject: string, result: PublishResult) => void} onFailure
   */
  constructor(client, onFailure) {
    this.#client = client;
    this.#onFailure = onFailure;
    this.#form.addEventListener('submit', (event) => {
      event.preventDefault();
      this.#submit();
    });
    element('content').addEventListener('keydown', (event) => {
      if (event.key !== 'Enter' || !(event.ctrlKey || event.metaKey)) return;
      event.preventDefault();
      this.#form.requestSubmit();
    });
    this.#stop.addEventListener('click', () => (this.#running = false));
    element('closure-auto').addEventListener('change', () => this.#showAutomatic());
    element('publisher-auto').addEventListener('change', () => this.#showAutomatic());
    this.#showAutomatic();
  }

  /** @param {string} subject puts it into the form and goes there */
  offer(subject) {
    element('publish-subject').value = subject;
    element('content').focus();
  }

  /** Automatic fields are read-only and show what the next publish will carry. */
  #showAutomatic() {
    const closure_auto = element('closure-auto').checked;
    const publisher_auto = element('publisher-auto').checked;
    this.#closure.readOnly = closure_auto;
    if (closure_auto) this.#closure.value = this.#nextClosure();
    for (const field of [this.#publisher, this.#sequence]) field.readOnly = publisher_auto;
    if (publisher_auto) {
      this.#publisher.value = this.#name;
      this.#sequence.value = this.#next_sequence;
    }
  }

  #nextClosure() {
    return `${this.#name}-${Date.now()}-${this.#published + 1}`;
  }

  async #submit() {
    if (this.#running) return;
    const times = numberIn(element('repeat')) ?? 1;
    try {
      if (times === 1) await this.#once();
      else await this.#repeat(times, numberIn(element('every')) ?? 0);
    } catch (error) {
      this.#say('bad', error.message);
    }
  }

  async #once() {
    const fields = await this.#fields();
    const result = await this.#publish(fields);
    this.#say(result.status === 'OK' ? 'good' : 'bad', words(result, fields));
  }

  /** Publishes `times` times, never with more than {@link IN_FLIGHT_MAX} results outstanding. */
  async #repeat(/** @type {number} */ times, /** @type {number} */ every_ms) {
    const tally = { sent: 0, ok: 0, failed: 0, slowest_ms: 0, total_ms: 0, last: '' };
    const began = performance.now();
    const in_flight = new Set();
    let shown_at = 0;
    this.#setRunning(true);
    try {
      while (this.#running && tally.sent < times) {
        const fields = await this.#fields(tally.sent + 1);
        const settled = this.#publish(fields).then((result) => addTo(tally, result));
        in_flight.add(settled);
        settled.finally(() => in_flight.delete(settled));
        tally.sent += 1;
        if (this.#client.state.name !== 'connected') break;
        if (in_flight.size >= IN_FLIGHT_MAX) await Promise.race(in_flight);
        const due_ms = began + tally.sent * every_ms - performance.now();
        if (tally.sent < times && due_ms > 0) await this.#rest(due_ms);
        if (performance.now() - shown_at > PROGRESS_INTERVAL_MS) {
          shown_at = performance.now();
          this.#say('', progress(tally, times));
        }
      }
      await Promise.all(in_flight);
    } finally {
      this.#setRunning(false);
    }
    this.#say(tally.failed > 0 ? 'bad' : 'good', `${progress(tally, times)} in ${duration(performance.now() - began)}`);
  }

  /** Waits, but not longer than the repetition runs. */
  async #rest(/** @type {number} */ ms) {
    const until = performance.now() + ms;
    while (this.#running && performance.now() < until) {
      await pause(Math.min(100, Math.max(0, until - performance.now())));
    }
  }

  async #publish(/** @type {{subject: string}} */ fields) {
    const result = await this.#client.publish(fields);
    if (result.status !== 'OK') this.#onFailure(fields.subject, result);
    return result;
  }

  /**
   * The publish request that the form describes.
   * @param {number} [number] of this message within a repetition
   * @returns {Promise<{subject: string, publisher?: string, publisher_seq?: number}>}
   * @throws {Error} for a person
   */
  async #fields(number) {
    this.#showAutomatic();
    const typed = element('content').value;
    const text = number === undefined ? typed : typed.replaceAll('{n}', String(number));
    /** @type {any} */
    const fields = { subject: element('publish-subject').value.trim(), ...(await this.#content(text)) };
    if (this.#closure.value) fields.closure = this.#closure.value;
    if (!element('retained').checked) fields.retained = false;
    if (element('qos').value === 'standard') fields.qos = 'standard';
    const reply_to = element('reply-to').value.trim();
    if (reply_to) fields.reply_to = reply_to;
    Object.assign(fields, this.#stamp(fields.qos === 'standard'));
    this.#published += 1;
    this.#showAutomatic();
    return fields;
  }

  async #content(/** @type {string} */ text) {
    const binary = element('binary').checked;
    const compression = element('compression').value;
    if (!compression) return binary ? { content: text.replace(/\s+/g, ''), encoding: 'base64' } : { content: text };
    const bytes = await compress(binary ? bytesOfBase64(text) : bytesOfText(text), compression);
    return { content: base64OfBytes(bytes), encoding: 'base64', compressed: true, compression };
  }

  /** What makes a retry recognisable; a standard message has no place that a retry could be compared with. */
  #stamp(/** @type {boolean} */ is_standard) {
    if (element('publisher-auto').checked) {
      return is_standard ? {} : { publisher: this.#name, publisher_seq: this.#next_sequence++ };
    }
    const publisher = this.#publisher.value.trim();
    const publisher_seq = numberIn(this.#sequence);
    if ((publisher === '') !== (publisher_seq === undefined)) {
      throw new Error('Publisher id and sequence come together.');
    }
    return publisher === '' ? {} : { publisher, publisher_seq };
  }

  #setRunning(/** @type {boolean} */ running) {
    this.#running = running;
    const had_focus = document.activeElement === this.#stop || document.activeElement === this.#send;
    this.#stop.hidden = !running;
    this.#send.hidden = running;
    if (had_focus) (running ? this.#stop : this.#send).focus();
  }

  #say(/** @type {string} */ tone, /** @type {string} */ text) {
    this.#result.dataset.tone = tone;
    setText(this.#result, text);
  }
}

/** One result in one line. */
function words(/** @type {PublishResult} */ result, fields) {
  /** @type {string[]} */
  const parts = [result.status];
  if (result.seq !== undefined) parts.push(position(result));
  if (result.duplicate) parts.push('duplicate: this publish was accepted before');
  if (result.status !== 'OK') parts.push([result.code, result.name].filter(Boolean).join(' '), result.advice ?? '');
  if (fields.publisher !== undefined && result.status === 'UNKNOWN') {
    parts.push(`${fields.publisher} ${fields.publisher_seq}`);
  }
  if (result.round_trip_ms > 0) parts.push(duration(result.round_trip_ms));
  return `${parts.filter(Boolean).join(' · ')} · ${timeOfDay(Date.now())}`;
}

function addTo(tally, /** @type {PublishResult} */ result) {
  if (result.status === 'OK') {
    tally.ok += 1;
    tally.total_ms += result.round_trip_ms;
    tally.slowest_ms = Math.max(tally.slowest_ms, result.round_trip_ms);
    tally.last = position(result);
  } else {
    tally.failed += 1;
  }
}

/** A repetition's tally in one line. */
function progress(tally, /** @type {number} */ times) {
  const parts = [`${count(tally.ok)} of ${count(times)} OK`];
  if (tally.failed > 0) parts.push(`${count(tally.failed)} failed`);
  if (tally.ok > 0) {
    parts.push(`last ${tally.last}`);
    parts.push(`round trip ${duration(tally.total_ms / tally.ok)}, slowest ${duration(tally.slowest_ms)}`);
  }
  return parts.join(' · ');
}
