// The selected message in full: every field, and its content as text, JSON, hex or base64.

import { copyFrom } from './clipboard.js';
import { showFacts } from './connect_view.js';
import { base64OfBytes, bytesOf, decompress, hexOfBytes, prettyJson, textOfBytes } from './content.js';
import { element, setText } from './dom.js';
import { duration, position, size, timeOfDay } from './format.js';

/** @typedef {import('./feed.js').Entry} Entry */

export class InspectorView {
  #panel = element('inspector');
  #content = element('inspector-content');
  #reply = element('reply');
  /** @type {Entry | undefined} */
  #entry;

  /**
   * @param {() => void} onClose
   * @param {(subject: string) => void} onReply
   */
  constructor(onClose, onReply) {
    element('inspector-close').addEventListener('click', onClose);
    this.#panel.addEventListener('keydown', (event) => {
      if (event.key === 'Escape') onClose();
    });
    this.#reply.addEventListener('click', () => onReply(this.#entry.message.reply_to));
    element('form').addEventListener('change', () => this.#showContent());
    element('pretty').addEventListener('change', () => this.#showContent());
    element('copy-row').addEventListener('click', () => this.copyRow());
    const copy_content = element('copy-content');
    copy_content.addEventListener('click', () => copyFrom(this.#content.textContent, copy_content));
  }

  /** @param {Entry | undefined} entry */
  show(entry) {
    if (entry === this.#entry) return;
    this.#entry = entry;
    this.#panel.hidden = !entry;
    if (!entry) return;
    showFacts(element('inspector-facts'), facts(entry));
    this.#reply.hidden = !entry.message.reply_to;
    this.#showContent();
  }

  /** Copies the selected message with all its fields. */
  copyRow() {
    if (!this.#entry) return;
    const { message, received_ms, latency_ms, exact_ms } = this.#entry;
    copyFrom(JSON.stringify({ ...message, op: undefined, received_ms, latency_ms, exact_ms }), element('copy-row'));
  }

  async #showContent() {
    const entry = this.#entry;
    const form = element('form').value;
    let text;
    try {
      const { message } = entry;
      const packed = bytesOf(message);
      const bytes = message.compressed ? await decompress(packed, message.compression ?? 'deflate') : packed;
      text = inForm(bytes, form);
    } catch (error) {
      text = error.message;
    }
    // Another message may have been selected while this one was unpacked.
    if (this.#entry === entry && element('form').value === form) setText(this.#content, text);
  }
}

/** Bytes as the reader chose; what is no text is shown as hex. */
function inForm(/** @type {Uint8Array<ArrayBuffer>} */ bytes, /** @type {string} */ form) {
  if (form === 'base64') return base64OfBytes(bytes);
  const text = form === 'text' ? textOfBytes(bytes) : undefined;
  if (text === undefined) return hexOfBytes(bytes);
  return (element('pretty').checked && prettyJson(text)) || text;
}

/** Every field of a message by its name for people. */
function facts(/** @type {Entry} */ { message, received_ms, latency_ms, exact_ms }) {
  const facts = {
    Subject: message.subject,
    Type: message.type,
    Position: position(message),
    Accepted: timeOfDay(message.time_ms),
    Received: timeOfDay(received_ms),
    Latency: `${duration(latency_ms)} between two clocks`,
  };
  if (exact_ms !== undefined) facts['From here'] = `${duration(exact_ms)} since this console published it`;
  if (message.closure) facts.Closure = message.closure;
  if (message.reply_to) facts['Reply to'] = message.reply_to;
  facts.Kept = [message.qos ?? 'guaranteed', message.retained === false ? 'not retained' : 'retained'].join(', ');
  facts.Size = size(bytesOf(message).length) + (message.compressed ? `, ${message.compression ?? 'deflate'}` : '');
  return facts;
}
