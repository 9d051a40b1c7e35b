// The messages on the console: a bounded buffer with pause, filter and batches. Knows no document.

/** Messages kept on the list, and as many again while paused. */
export const ROWS_MAX = 1_000;
/** Characters of content kept with them. */
const CHARS_MAX = 32 * 1024 * 1024;

/**
 * @typedef {object} Entry one message on the list
 * @property {number} number counts all messages this page received, from 1
 * @property {import('./protocol.js').Message} message
 * @property {number} received_ms Unix time
 * @property {number} latency_ms between the cluster's clock and this one's
 * @property {number} [exact_ms] since this very console published it
 */

/** First in, first out, bounded by count and characters: the oldest entry gives way. */
export class BoundedQueue {
  #items = [];
  #head = 0;
  #chars = 0;

  /**
   * @param {number} length_max
   * @param {number} [chars_max]
   */
  constructor(length_max, chars_max = Infinity) {
    this.length_max = length_max;
    this.chars_max = chars_max;
  }

  get length() {
    return this.#items.length - this.#head;
  }

  /** @param {number} index 0 is the oldest @returns {Entry | undefined} */
  at(index) {
    return this.#items[this.#head + index];
  }

  /** @param {Entry} entry @returns {number} entries that gave way */
  push(entry) {
    this.#items.push(entry);
    this.#chars += entry.message.content.length;
    let evicted = 0;
    while (this.length > this.length_max || (this.#chars > this.chars_max && this.length > 1)) {
      this.shift();
      evicted += 1;
    }
    return evicted;
  }

  shift() {
    this.#chars -= this.#items[this.#head].message.content.length;
    this.#items[this.#head++] = undefined;
    // Moving the rest up once per thousand evictions keeps an eviction cheap.
    if (this.#head > 1_000) {
      this.#items = this.#items.slice(this.#head);
      this.#head = 0;
    }
  }

  clear() {
    this.#items = [];
    this.#head = 0;
    this.#chars = 0;
  }
}

export class Feed {
  /** Messages received since the page was opened or cleared. */
  received = 0;
  /** Messages that came and went during a pause without ever being shown. */
  skipped = 0;
  paused = false;

  #rows = new BoundedQueue(ROWS_MAX, CHARS_MAX);
  #shown = new BoundedQueue(ROWS_MAX);
  #arrived = new BoundedQueue(ROWS_MAX, CHARS_MAX);
  #filter = '';
  #number = 0;

  /** What the list shows: the rows that pass the filter, oldest first. */
  get shown() {
    return this.#shown;
  }

  /** Messages kept back by the pause. */
  get held() {
    return this.paused ? this.#arrived.length : 0;
  }

  /** @param {Omit<Entry, 'number'>} entry */
  push(entry) {
    this.received += 1;
    this.#number += 1;
    const evicted = this.#arrived.push({ ...entry, number: this.#number });
    if (this.paused) this.skipped += evicted;
  }

  /**
   * Moves what arrived onto the list, unless paused.
   * @returns {{added: number, removed: number}} shown rows that came, and that went from the old end
   */
  flush() {
    const change = { added: 0, removed: 0 };
    if (this.paused) return change;
    for (let index = 0; index < this.#arrived.length; index += 1) {
      const entry = this.#arrived.at(index);
      this.#rows.push(entry);
      if (!this.#passes(entry)) continue;
      change.removed += this.#shown.push(entry);
      change.added += 1;
    }
    this.#arrived.clear();
    const oldest = this.#rows.at(0)?.number ?? Infinity;
    while (this.#shown.length > 0 && this.#shown.at(0).number < oldest) {
      this.#shown.shift();
      change.removed += 1;
    }
    return change;
  }

  /** @param {string} text shows only subjects that contain it, in any letter case */
  setFilter(text) {
    this.#filter = text.trim().toLowerCase();
    this.#shown.clear();
    for (let index = 0; index < this.#rows.length; index += 1) {
      const entry = this.#rows.at(index);
      if (this.#passes(entry)) this.#shown.push(entry);
    }
  }

  clear() {
    this.received = 0;
    this.skipped = 0;
    this.#rows.clear();
    this.#shown.clear();
    this.#arrived.clear();
  }

  #passes(/** @type {Entry} */ { message }) {
    return this.#filter === '' || message.subject.toLowerCase().includes(this.#filter);
  }
}
