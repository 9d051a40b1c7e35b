// What a client knows of its subscriptions: settings, last positions, and whether the order held.

/** @typedef {{epoch: number, seq: number}} Position */

/**
 * @typedef {object} SubscribeItem
 * @property {string} subject
 * @property {number} [history] historical messages asked for
 * @property {number} [conflation_ms] at most the newest message per this many milliseconds; 0 delivers all
 * @property {Position} [position] resume from here
 */

/** One subject that the user wants, whether or not the server has confirmed it. */
export class Subscription {
  /** @param {SubscribeItem} item */
  constructor(item) {
    this.subject = item.subject;
    this.history = item.history ?? 0;
    this.conflation_ms = item.conflation_ms ?? 0;
    /** @type {Position | undefined} */
    this.position = item.position;
    /** @type {'waiting' | 'active' | 'refused'} */
    this.state = 'waiting';
    /** The server's last answer: fresh, complete, gap, reset. @type {string | undefined} */
    this.recovery = undefined;
    /** With a gap: what was lost. @type {{from: number, to: number} | undefined} */
    this.missed = undefined;
    /** Why it was refused. @type {import('./protocol.js').Refusal | undefined} */
    this.refusal = undefined;
    /** Messages received. */
    this.count = 0;
    /** Messages that did not follow their predecessor; the server promises that there are none. */
    this.out_of_order = 0;
  }

  /** The item of a subscribe request that starts or resumes this subscription. */
  request() {
    const { subject, history, conflation_ms, position } = this;
    return { subject, history, conflation_ms, ...position };
  }

  /**
   * The server's answer. Unless everything after our position follows, its cut is where we are: what was
   * missed before it cannot be had, what comes after it will be.
   * @param {{recovery: string, epoch: number, seq: number, missed?: {from: number, to: number}}} answer
   */
  apply_subscribed(answer) {
    this.state = 'active';
    this.recovery = answer.recovery;
    this.missed = answer.missed;
    this.refusal = undefined;
    if (answer.recovery !== 'complete') this.position = { epoch: answer.epoch, seq: answer.seq };
  }

  /**
   * Counts a message and moves the position.
   * @param {import('./protocol.js').Message} message
   * @returns {number | undefined} the seq that should have come, if another one came
   */
  apply_message(message) {
    this.count += 1;
    // Until the answer comes, only the tail of an earlier subscription to the subject can arrive.
    if (this.state !== 'active' || message.qos === 'standard') return undefined;
    // A snapshot or historical message lies at or before the cut, so only the other two move the position.
    if (message.type === 'snapshot' || message.type === 'historical') return undefined;
    const { epoch, seq } = message;
    const last = this.position;
    const expected = last?.epoch === epoch ? last.seq + 1 : undefined;
    if (expected === undefined || seq >= expected) this.position = { epoch, seq };
    const in_order = expected === undefined || seq === expected || (this.conflation_ms > 0 && seq > expected);
    if (in_order) return undefined;
    this.out_of_order += 1;
    return expected;
  }
}

/**
 * Splits what a person typed into subjects. A subject may contain spaces, so a blank or a comma separates
 * only where a new absolute path begins.
 * @param {string} text
 * @returns {string[]} without repetitions
 */
export function parseSubjects(text) {
  const parts = text.split(/[\n\r]+|[\s,;]+(?=\/)/).map((part) => part.replace(/^[\s,;]+|[\s,;]+$/g, ''));
  return [...new Set(parts.filter(Boolean))];
}
