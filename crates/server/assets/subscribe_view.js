// The subscribe form, and the table of subscriptions with their positions, counts and rates.

import { element, make, numberIn, setText } from './dom.js';
import { count, position, refusal } from './format.js';
import { Rate } from './rate.js';
import { parseSubjects } from './subscriptions.js';

/** How often counts and positions are written. */
const DRAW_INTERVAL_MS = 250;
/** Rows of the table; more subscriptions are counted, not listed. */
const ROWS_MAX = 200;

/** @typedef {import('./protocol.js').Client} Client */
/** @typedef {import('./subscriptions.js').Subscription} Subscription */

/** Tone of each answer. */
const ANSWER_TONES = { fresh: 'good', complete: 'good', gap: 'bad', reset: 'warn' };

export class SubscribeView {
  #client;
  #onSubject;
  /** @type {Map<string, Row>} */
  #rows = new Map();
  #body = element('subscriptions-rows');

  /**
   * @param {Client} client
   * @param {(subject: string) => void} onSubject a subject of the table was chosen
   */
  constructor(client, onSubject) {
    this.#client = client;
    this.#onSubject = onSubject;
    const form = element('subscribe-form');
    form.addEventListener('submit', (event) => {
      event.preventDefault();
      this.#submit();
    });
    element('subjects').addEventListener('keydown', (event) => {
      if (event.key !== 'Enter' || event.shiftKey || event.isComposing) return;
      event.preventDefault();
      form.requestSubmit();
    });
    element('unsubscribe-all').addEventListener('click', () => client.unsubscribe([...client.subscriptions.keys()]));
    setInterval(() => this.#draw(), DRAW_INTERVAL_MS);
  }

  /** Shows the subscriptions as they are now. */
  refresh() {
    const { subscriptions } = this.#client;
    for (const [subject, row] of this.#rows) {
      if (subscriptions.has(subject)) continue;
      row.remove(element('subjects'));
      this.#rows.delete(subject);
    }
    for (const subject of subscriptions.keys()) {
      if (this.#rows.size >= ROWS_MAX) break;
      if (this.#rows.has(subject)) continue;
      const row = new Row(subject, this.#onSubject, () => this.#client.unsubscribe([subject]));
      this.#rows.set(subject, row);
      this.#body.append(row.element);
    }
    const more = subscriptions.size - this.#rows.size;
    setText(
      element('subscriptions-count'),
      `${count(subscriptions.size)}${more > 0 ? `, ${count(more)} not listed` : ''}`,
    );
    element('subscriptions-empty').hidden = subscriptions.size > 0;
    element('subscriptions-table').hidden = subscriptions.size === 0;
    element('unsubscribe-all').hidden = subscriptions.size < 2;
    this.#draw();
  }

  #submit() {
    const subjects = parseSubjects(element('subjects').value);
    const epoch = numberIn(element('resume-epoch'));
    const seq = numberIn(element('resume-seq'));
    if (subjects.length === 0) {
      this.#say('Give a subject, like /demo.');
    } else if ((epoch === undefined) !== (seq === undefined)) {
      this.#say('Epoch and seq come together.');
    } else {
      const start = {
        history: numberIn(element('history')) ?? 0,
        conflation_ms: numberIn(element('conflation')) ?? 0,
        position: epoch === undefined ? undefined : { epoch, seq },
      };
      this.#client.subscribe(subjects.map((subject) => ({ subject, ...start })));
      this.#say(this.#client.state.name === 'connected' ? '' : 'Begins once connected.');
    }
  }

  #say(/** @type {string} */ words) {
    setText(element('subscribe-note'), words);
  }

  #draw() {
    const now = performance.now();
    for (const [subject, row] of this.#rows) row.draw(this.#client.subscriptions.get(subject), now);
  }
}

/** One line of the table. */
class Row {
  #answer = make('span', { className: 'tag' });
  #position = make('td', { className: 'mono', 'data-testid': 'subscription-position' });
  #count = make('td', { className: 'number', 'data-testid': 'subscription-count' });
  #rate = make('td', { className: 'number' });
  #order = make('td', { 'data-testid': 'subscription-order' });
  #perSecond = new Rate();

  /**
   * @param {string} subject
   * @param {(subject: string) => void} onSubject
   * @param {() => void} onEnd
   */
  constructor(subject, onSubject, onEnd) {
    const name = make('button', { type: 'button', className: 'link mono', title: 'Show only this subject' }, subject);
    name.addEventListener('click', () => onSubject(subject));
    const end = make(
      'button',
      { type: 'button', className: 'quiet', 'aria-label': `Unsubscribe ${subject}`, 'data-testid': 'unsubscribe' },
      '✕',
    );
    end.addEventListener('click', onEnd);
    this.element = make(
      'tr',
      { 'data-testid': 'subscription', 'data-subject': subject },
      make('td', {}, name),
      make('td', { 'data-testid': 'subscription-answer' }, this.#answer),
      this.#position,
      this.#count,
      this.#rate,
      this.#order,
      make('td', { className: 'end' }, end),
    );
  }

  /** @param {Subscription} subscription @param {number} now */
  draw(subscription, now) {
    const { state, recovery, missed, refusal: why, count: received, out_of_order } = subscription;
    const answer = state === 'active' ? recovery : state;
    const lost = missed && state === 'active' ? ` ${missed.from}–${missed.to}` : '';
    setText(this.#answer, `${answer}${lost}`);
    this.#answer.dataset.tone = state === 'refused' ? 'bad' : (state === 'active' && ANSWER_TONES[recovery]) || '';
    this.#answer.title = why ? refusal(why) : (ANSWERS[answer] ?? '');
    setText(this.#position, position(subscription.position));
    setText(this.#count, count(received));
    setText(this.#rate, count(this.#perSecond.of(received, now)));
    setText(this.#order, out_of_order > 0 ? `${count(out_of_order)} out of order` : received > 0 ? 'in order' : '–');
    this.#order.dataset.tone = out_of_order > 0 ? 'bad' : '';
  }

  /** @param {HTMLElement} next takes the focus if this row had it */
  remove(next) {
    const focused = this.element.contains(document.activeElement);
    const sibling = this.element.nextElementSibling ?? this.element.previousElementSibling;
    this.element.remove();
    if (focused) (sibling?.querySelector('button.quiet') ?? next).focus();
  }
}

/** What each answer promises, for the reader who wonders. */
const ANSWERS = {
  fresh: 'No position was given: a fresh subscription.',
  complete: 'Everything after the last position was delivered, then the live flow.',
  gap: 'Some messages after the last position are gone; the snapshot and the live flow follow.',
  reset: 'The last position belongs to another epoch; the snapshot and the live flow follow.',
  waiting: 'Begins once the server answers.',
};
