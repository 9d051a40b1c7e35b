// The console's rules that need no browser: reconnect, positions, the bounded list, forms of content.

import assert from 'node:assert/strict';
import { test } from 'node:test';

const assets = new URL('../../crates/server/assets/', import.meta.url);
const load = (name) => import(new URL(name, assets));
const { candidates, classOf, delayMs } = await load('reconnect.js');
const { Subscription, parseSubjects } = await load('subscriptions.js');
const { Feed, ROWS_MAX } = await load('feed.js');
const { base64OfBytes, bytesOfBase64, bytesOfText, compress, decompress, hexOfBytes, prettyJson, sizeOf, textOfBytes } =
  await load('content.js');
const { duration, position, refusal } = await load('format.js');
const { Rate } = await load('rate.js');

test('the class of a close code follows from its range', () => {
  const classes = [4000, 4199, 1009, 4200, 4300, 4301, 4400, 1000, 1006, 4500].map(classOf);
  assert.deepEqual(classes, [
    'rejected',
    'rejected',
    'rejected',
    'busy',
    'unavailable',
    'unavailable',
    'broken',
    'lost',
    'lost',
    'lost',
  ]);
});

test('the pause before a reconnect begins quick, grows and is bounded', () => {
  const longest = (attempt, closed = 'lost') => delayMs(attempt, closed, () => 0);
  assert.deepEqual(
    [0, 1, 2, 3, 4, 5].map((attempt) => longest(attempt)),
    [500, 1_000, 1_500, 2_000, 4_000, 8_000],
  );
  assert.equal(longest(40), 30_000);
  assert.equal(longest(0, 'busy'), 2_000);
  for (let attempt = 0; attempt < 20; attempt += 1) assert.ok(delayMs(attempt, 'lost', () => 0.999) >= 0);
});

test('members that a notice names are tried before the address the user gave', () => {
  assert.deepEqual(candidates('wss://front/ws', ['a:8800', 'b:8800']), [
    'wss://a:8800/ws',
    'wss://b:8800/ws',
    'wss://front/ws',
  ]);
  assert.deepEqual(candidates('ws://a:8800/ws', ['a:8800']), ['ws://a:8800/ws']);
});

const message = (seq, type = 'update', more = {}) => ({ subject: '/a', type, epoch: 7, seq, content: 'x', ...more });

test('a subscription resumes from its last message, not from a snapshot or a standard message', () => {
  const subscription = new Subscription({ subject: '/a', history: 2 });
  assert.deepEqual(subscription.request(), { subject: '/a', history: 2, conflation_ms: 0 });
  subscription.apply_subscribed({ recovery: 'fresh', epoch: 7, seq: 40 });
  for (const next of [message(38, 'snapshot'), message(39, 'historical'), message(40, 'historical'), message(41)]) {
    assert.equal(subscription.apply_message(next), undefined);
  }
  subscription.apply_message(message(41, 'update', { qos: 'standard' }));
  assert.deepEqual(subscription.request(), { subject: '/a', history: 2, conflation_ms: 0, epoch: 7, seq: 41 });
});

test('a complete resume keeps its own position until the missed messages came', () => {
  const subscription = new Subscription({ subject: '/a', position: { epoch: 7, seq: 41 } });
  subscription.apply_subscribed({ recovery: 'complete', epoch: 7, seq: 50 });
  assert.equal(subscription.request().seq, 41);
  assert.equal(subscription.apply_message(message(42, 'recovered')), undefined);
  assert.equal(subscription.request().seq, 42);
});

test('a gap or a reset begins anew at the cut', () => {
  const subscription = new Subscription({ subject: '/a', position: { epoch: 7, seq: 41 } });
  subscription.apply_subscribed({ recovery: 'gap', epoch: 7, seq: 60, missed: { from: 42, to: 50 } });
  assert.deepEqual(subscription.position, { epoch: 7, seq: 60 });
  assert.deepEqual(subscription.missed, { from: 42, to: 50 });
  subscription.apply_subscribed({ recovery: 'reset', epoch: 8, seq: 3 });
  assert.deepEqual(subscription.position, { epoch: 8, seq: 3 });
});

test('a message that does not follow its predecessor is noticed', () => {
  const subscription = new Subscription({ subject: '/a' });
  subscription.apply_subscribed({ recovery: 'fresh', epoch: 7, seq: 0 });
  assert.equal(subscription.apply_message(message(1)), undefined);
  assert.equal(subscription.apply_message(message(3)), 2);
  assert.equal(subscription.apply_message(message(3)), 4);
  assert.equal(subscription.out_of_order, 2);
  assert.equal(subscription.position.seq, 3);
});

test('conflation may leave messages out, but not turn them round', () => {
  const subscription = new Subscription({ subject: '/a', conflation_ms: 100 });
  subscription.apply_subscribed({ recovery: 'fresh', epoch: 7, seq: 0 });
  assert.equal(subscription.apply_message(message(5)), undefined);
  assert.equal(subscription.apply_message(message(4)), 6);
});

test('subjects are separated by blanks, commas and lines, and may contain blanks', () => {
  assert.deepEqual(parseSubjects(' /a, /b c /d\n/a\n\nnot a subject,'), ['/a', '/b c', '/d', 'not a subject']);
  assert.deepEqual(parseSubjects(' \n'), []);
});

const entry = (subject, content = 'x') => ({ message: { subject, content }, received_ms: 0, latency_ms: 0 });
const shown = (feed) => Array.from({ length: feed.shown.length }, (_, index) => feed.shown.at(index).number);

test('the list keeps the newest rows only', () => {
  const feed = new Feed();
  for (let number = 0; number < ROWS_MAX + 5; number += 1) feed.push(entry('/a'));
  assert.deepEqual(feed.flush(), { added: ROWS_MAX, removed: 0 });
  feed.push(entry('/a'));
  assert.deepEqual(feed.flush(), { added: 1, removed: 1 });
  assert.equal(feed.shown.at(0).number, 7);
  assert.equal(feed.received, ROWS_MAX + 6);
});

test('large contents make the list shorter, so that its memory is bounded', () => {
  const feed = new Feed();
  const megabyte = 'x'.repeat(1024 * 1024);
  for (let number = 0; number < 100; number += 1) {
    feed.push(entry('/a', megabyte));
    feed.flush();
  }
  assert.equal(feed.shown.length, 32);
});

test('a pause holds messages, counts them, and tells how many it could not hold', () => {
  const feed = new Feed();
  feed.paused = true;
  for (let number = 0; number < ROWS_MAX + 3; number += 1) feed.push(entry('/a'));
  assert.deepEqual(feed.flush(), { added: 0, removed: 0 });
  assert.deepEqual([feed.received, feed.held, feed.skipped], [ROWS_MAX + 3, ROWS_MAX, 3]);
  feed.paused = false;
  assert.equal(feed.flush().added, ROWS_MAX);
});

test('a filter hides rows without losing them', () => {
  const feed = new Feed();
  for (const subject of ['/a/One', '/b', '/a/two']) feed.push(entry(subject));
  feed.flush();
  feed.setFilter(' /A/ ');
  assert.deepEqual(shown(feed), [1, 3]);
  feed.push(entry('/b'));
  assert.deepEqual(feed.flush(), { added: 0, removed: 0 });
  feed.setFilter('');
  assert.deepEqual(shown(feed), [1, 2, 3, 4]);
});

test('content goes through base64 and deflate (RFC 1951) unharmed', async () => {
  const bytes = bytesOfText('ü'.repeat(500));
  const packed = await compress(bytes, 'deflate');
  assert.ok(packed.length < 50);
  assert.deepEqual(await decompress(bytesOfBase64(base64OfBytes(packed)), 'deflate'), bytes);
  await assert.rejects(decompress(bytes, 'deflate'), /not valid deflate/);
  assert.throws(() => bytesOfBase64('***'), /not base64/);
});

test('a small message that unpacks to very much is not unpacked', async () => {
  const bomb = await compress(new Uint8Array(5 * 1024 * 1024), 'deflate');
  await assert.rejects(decompress(bomb, 'deflate'), /more than/);
});

test('content is shown in the form that fits it', () => {
  assert.equal(textOfBytes(new Uint8Array([255])), undefined);
  assert.equal(hexOfBytes(new Uint8Array([0, 65])), `000000  00 41${' '.repeat(42)}  ·A`);
  assert.equal(prettyJson('{"a":1}'), '{\n  "a": 1\n}');
  assert.equal(prettyJson('42'), undefined);
  assert.equal(sizeOf({ content: '/wA=', encoding: 'base64' }), 2);
});

test('numbers read well', () => {
  assert.deepEqual([0.25, 9, 12.3, 1_500, 61_000, 3_600_000, -4].map(duration), [
    '0.3 ms',
    '9 ms',
    '12 ms',
    '1.5 s',
    '1 min 1 s',
    '1 h 0 min',
    '−4 ms',
  ]);
  assert.equal(position({ epoch: 7, seq: 0 }), '7:0');
  assert.equal(position(undefined), '–');
  assert.equal(
    refusal({ code: 4007, name: 'subject_invalid', advice: 'Correct it.' }),
    '4007 subject_invalid · Correct it.',
  );
});

test('a rate looks back two seconds and begins anew with its counter', () => {
  const rate = new Rate();
  assert.deepEqual(
    [
      [0, 0],
      [100, 1_000],
      [200, 2_000],
      [200, 3_000],
      [200, 4_000],
      [0, 5_000],
    ].map(([n, at]) => rate.of(n, at)),
    [0, 100, 100, 50, 0, 0],
  );
});
