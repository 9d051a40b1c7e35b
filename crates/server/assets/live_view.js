// The live list: only the rows in sight exist, so thousands of messages a second cost as much as forty.

import { sizeOf } from './content.js';
import { element, make, oncePerFrame, setText } from './dom.js';
import { count, duration, position, size, timeOfDay } from './format.js';
import { Rate } from './rate.js';

/** Rows drawn beyond each edge, so that a scroll does not outrun the drawing. */
const OVERSCAN_ROWS = 8;
/** Characters of content in a row. */
const PREVIEW_CHARS = 240;
const COUNT_INTERVAL_MS = 250;

/** @typedef {import('./feed.js').Entry} Entry */
/** @typedef {import('./feed.js').Feed} Feed */

export class LiveView {
  #feed;
  #onSelect;
  #list = element('list');
  #spacer = element('spacer');
  #catch_up = element('catch-up');
  #pause = element('pause');
  /** @type {Row[]} */
  #rows = [];
  #row_px = 28;
  #list_px = 0;
  /** Whether the newest row is kept in sight. */
  #following = true;
  /** Rows that came while it was not. */
  #unseen = 0;
  #newest_on_top = true;
  /** @type {Entry | undefined} */
  #selected;
  #rate = new Rate();
  #drawSoon = oncePerFrame(() => this.#draw());

  /**
   * @param {Feed} feed
   * @param {(entry: Entry | undefined) => void} onSelect
   */
  constructor(feed, onSelect) {
    this.#feed = feed;
    this.#onSelect = onSelect;
    element('filter').addEventListener('input', (event) => this.filter(event.target.value));
    element('order').addEventListener('change', (event) => this.#setOrder(event.target.value === 'top'));
    this.#pause.addEventListener('click', () => this.togglePause());
    element('clear').addEventListener('click', () => this.#clear());
    this.#catch_up.addEventListener('click', () => this.#follow());
    this.#list.addEventListener('scroll', () => this.#onScroll(), { passive: true });
    this.#list.addEventListener('keydown', (event) => this.#onKey(event));
    this.#list.addEventListener('click', (event) => {
      const row = this.#rows.find((row) => row.element.contains(event.target));
      if (row?.entry) this.select(row.entry === this.#selected ? undefined : row.entry);
    });
    new ResizeObserver(() => this.#measure()).observe(this.#list);
    setInterval(() => this.#showCount(), COUNT_INTERVAL_MS);
  }

  /** A message came. */
  arrived() {
    this.#drawSoon();
  }

  /** @param {string} text */
  filter(text) {
    const input = element('filter');
    if (input.value !== text) input.value = text;
    this.#feed.setFilter(text);
    this.#follow();
  }

  togglePause() {
    this.#feed.paused = !this.#feed.paused;
    setText(this.#pause, this.#feed.paused ? 'Continue' : 'Pause');
    this.#pause.classList.toggle('primary', this.#feed.paused);
    this.#drawSoon();
    this.#showCount();
  }

  /** @param {Entry | undefined} entry */
  select(entry) {
    this.#selected = entry;
    this.#onSelect(entry);
    this.#drawSoon();
  }

  #clear() {
    this.#feed.clear();
    this.#follow();
    this.#showCount();
  }

  #setOrder(/** @type {boolean} */ newest_on_top) {
    this.#newest_on_top = newest_on_top;
    this.#list.setAttribute('aria-label', `Messages, newest ${newest_on_top ? 'first' : 'last'}`);
    this.#follow();
  }

  #follow() {
    this.#following = true;
    this.#unseen = 0;
    this.#list.scrollTop = this.#newest_on_top ? 0 : this.#list.scrollHeight;
    this.#drawSoon();
  }

  #onScroll() {
    const { scrollTop, scrollHeight, clientHeight } = this.#list;
    const away_px = this.#newest_on_top ? scrollTop : scrollHeight - clientHeight - scrollTop;
    this.#following = away_px < this.#row_px;
    if (this.#following) this.#unseen = 0;
    this.#drawSoon();
  }

  #onKey(/** @type {KeyboardEvent} */ event) {
    const { shown } = this.#feed;
    const page = Math.max(1, Math.floor(this.#list_px / this.#row_px) - 1);
    const steps = { ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page, Home: -Infinity, End: Infinity };
    const step = steps[event.key];
    if (event.key === 'Escape') this.select(undefined);
    if (step === undefined || shown.length === 0 || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    const at = this.#selected ? this.#indexOf(this.#selected) : -1;
    const from = at < 0 && step === 1 ? -1 : Math.max(0, at);
    const index = Math.min(shown.length - 1, Math.max(0, from + step));
    this.select(this.#entryAt(index));
    this.#reveal(index);
  }

  /** Scrolls as little as needed to bring a row into sight. */
  #reveal(/** @type {number} */ index) {
    const top = index * this.#row_px;
    const { scrollTop } = this.#list;
    if (top < scrollTop) this.#list.scrollTop = top;
    else if (top + this.#row_px > scrollTop + this.#list_px) this.#list.scrollTop = top + this.#row_px - this.#list_px;
  }

  /** Entry of a row, counted from the top. */
  #entryAt(/** @type {number} */ index) {
    const { shown } = this.#feed;
    return shown.at(this.#newest_on_top ? shown.length - 1 - index : index);
  }

  /** Row of an entry, counted from the top; -1 when it is not on the list. */
  #indexOf(/** @type {Entry} */ entry) {
    const { shown } = this.#feed;
    for (let index = 0; index < shown.length; index += 1) if (this.#entryAt(index) === entry) return index;
    return -1;
  }

  #measure() {
    const row_px = this.#row_px;
    this.#row_px = parseFloat(getComputedStyle(this.#list).getPropertyValue('--row')) || row_px;
    this.#list_px = this.#list.clientHeight;
    const needed = Math.ceil(this.#list_px / this.#row_px) + 2 * OVERSCAN_ROWS;
    while (this.#rows.length < needed) {
      const row = new Row(this.#rows.length);
      this.#rows.push(row);
      this.#spacer.append(row.element);
    }
    if (this.#following) this.#follow();
    // The inspector makes the list narrower and its rows higher: what it shows stays in sight.
    const selected = row_px !== this.#row_px && this.#selected ? this.#indexOf(this.#selected) : -1;
    if (selected >= 0) {
      this.#resize();
      this.#reveal(selected);
    }
    this.#drawSoon();
  }

  #resize() {
    this.#spacer.style.height = `${this.#feed.shown.length * this.#row_px}px`;
  }

  #draw() {
    const { added, removed } = this.#feed.flush();
    const { shown } = this.#feed;
    const before_px = this.#list.scrollTop;
    this.#resize();
    if (this.#following) {
      if (!this.#newest_on_top) this.#list.scrollTop = shown.length * this.#row_px;
    } else {
      this.#unseen += added;
      // What the reader looks at stays where it is.
      const moved = this.#newest_on_top ? added : -removed;
      if (moved !== 0) this.#list.scrollTop = before_px + moved * this.#row_px;
    }
    this.#drawRows(Math.floor(this.#list.scrollTop / this.#row_px) - OVERSCAN_ROWS);
    this.#showEdges();
  }

  #drawRows(/** @type {number} */ first) {
    const { length } = this.#feed.shown;
    let active = '';
    for (let offset = 0; offset < this.#rows.length; offset += 1) {
      const index = first + offset;
      // An index keeps its element while the window moves, so that a scroll rewrites only what comes into sight.
      const row = this.#rows[((index % this.#rows.length) + this.#rows.length) % this.#rows.length];
      const entry = index >= 0 && index < length ? this.#entryAt(index) : undefined;
      const is_selected = entry !== undefined && entry === this.#selected;
      row.draw(entry, index, index * this.#row_px, length, is_selected);
      if (is_selected) active = row.element.id;
    }
    if (active) this.#list.setAttribute('aria-activedescendant', active);
    else this.#list.removeAttribute('aria-activedescendant');
  }

  #showEdges() {
    const { shown, received } = this.#feed;
    const empty = element('messages-empty');
    empty.hidden = shown.length > 0;
    setText(
      empty,
      received > 0 && element('filter').value ? 'No message on the list matches the filter.' : 'Nothing received yet.',
    );
    this.#catch_up.hidden = this.#following || this.#unseen === 0;
    if (!this.#catch_up.hidden)
      setText(this.#catch_up, `${this.#newest_on_top ? '↑' : '↓'} ${count(this.#unseen)} newer`);
  }

  #showCount() {
    const { received, held, skipped, paused } = this.#feed;
    const per_second = this.#rate.of(received, performance.now());
    const parts = [count(received)];
    if (per_second > 0) parts.push(`${count(per_second)} per second`);
    if (paused) parts.push(`paused, ${count(held)} held`);
    if (skipped > 0) parts.push(`${count(skipped)} skipped`);
    setText(element('messages-count'), parts.join(' · '));
  }
}

/** One reused line of the list. */
class Row {
  /** @type {Entry | undefined} */
  entry;
  #index = -1;
  #top_px = -1;
  #length = -1;
  #is_selected = false;
  #type = make('span', { className: 'tag' });
  #time = make('span', { className: 'when' });
  #latency = make('span', { className: 'latency' });
  #position = make('span', { className: 'where' });
  #subject = make('span', { className: 'subject' });
  #content = make('span', { className: 'content' });

  /** @param {number} slot */
  constructor(slot) {
    this.element = make(
      'div',
      {
        id: `row-${slot}`,
        className: 'row',
        hidden: true,
        role: 'option',
        'data-testid': 'message-row',
        'aria-selected': 'false',
      },
      this.#type,
      this.#time,
      this.#latency,
      this.#position,
      this.#subject,
      this.#content,
    );
  }

  /**
   * @param {Entry | undefined} entry
   * @param {number} index from the top
   * @param {number} top_px
   * @param {number} length of the whole list
   * @param {boolean} is_selected
   */
  draw(entry, index, top_px, length, is_selected) {
    const { element } = this;
    element.hidden = !entry;
    if (!entry) {
      this.entry = undefined;
      return;
    }
    if (top_px !== this.#top_px) {
      element.style.transform = `translateY(${top_px}px)`;
      this.#top_px = top_px;
    }
    if (index !== this.#index) {
      element.setAttribute('aria-posinset', String(index + 1));
      this.#index = index;
    }
    if (length !== this.#length) {
      element.setAttribute('aria-setsize', String(length));
      this.#length = length;
    }
    if (is_selected !== this.#is_selected) {
      element.setAttribute('aria-selected', String(is_selected));
      this.#is_selected = is_selected;
    }
    if (entry !== this.entry) this.#fill(entry);
  }

  #fill(/** @type {Entry} */ entry) {
    const { message, received_ms, latency_ms, exact_ms } = entry;
    this.entry = entry;
    this.element.dataset.type = message.type;
    this.element.dataset.subject = message.subject;
    this.element.dataset.seq = String(message.seq);
    setText(this.#type, message.type);
    setText(this.#time, timeOfDay(received_ms));
    setText(this.#latency, duration(exact_ms ?? latency_ms));
    this.#latency.classList.toggle('exact', exact_ms !== undefined);
    setText(this.#position, position(message));
    setText(this.#subject, message.subject);
    setText(this.#content, preview(message));
  }
}

function preview(/** @type {import('./protocol.js').Message} */ message) {
  if (message.compressed) return `(${message.compression ?? 'deflate'}, ${size(sizeOf(message))})`;
  if (message.encoding) return `(binary, ${size(sizeOf(message))}) ${message.content.slice(0, PREVIEW_CHARS)}`;
  return message.content.slice(0, PREVIEW_CHARS);
}
