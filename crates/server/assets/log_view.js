// The status log: connects, notices, refusals, each with what to do.

import { element, make, oncePerFrame } from './dom.js';
import { timeOfDay } from './format.js';

/** Entries kept; the oldest gives way. */
const ENTRIES_MAX = 300;

/** @typedef {'info' | 'good' | 'warn' | 'bad'} Tone */

export class LogView {
  #list = element('log-entries');
  /** The newest entry, which counts its own repetitions. */
  #last = { text: '', times: 0, item: /** @type {HTMLElement | undefined} */ (undefined) };
  /** Entries that wait for the next frame. @type {HTMLElement[]} */
  #new = [];
  #drawSoon = oncePerFrame(() => this.#draw());

  constructor() {
    element('log-clear').addEventListener('click', () => this.clear());
  }

  /**
   * @param {Tone} tone
   * @param {string} what
   * @param {string} [more] code, detail, advice
   */
  add(tone, what, more = '') {
    const text = `${tone} ${what} ${more}`;
    if (this.#last.item && this.#last.text === text) {
      this.#last.times += 1;
      this.#last.item.dataset.times = `×${this.#last.times}`;
      return;
    }
    const item = make('li', { 'data-tone': tone }, make('time', {}, timeOfDay(Date.now())), make('b', {}, what));
    if (more) item.append(make('span', {}, more));
    this.#last = { text, times: 1, item };
    this.#new.push(item);
    if (this.#new.length > ENTRIES_MAX) this.#new.shift();
    this.#drawSoon();
  }

  clear() {
    this.#new = [];
    this.#last.item = undefined;
    this.#list.replaceChildren();
  }

  #draw() {
    this.#list.prepend(...this.#new.reverse());
    this.#new = [];
    while (this.#list.childElementCount > ENTRIES_MAX) this.#list.lastElementChild.remove();
  }
}
