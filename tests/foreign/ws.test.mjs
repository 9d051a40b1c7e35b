// The native protocol as Node's `ws` speaks it.

import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { test } from 'node:test';
import WebSocket from 'ws';

const address = `ws://${process.env.STERNA_ADDRESS}/ws`;
const token = process.env.TOKEN;

/** A subject that nobody has used: the server remembers. */
const newSubject = () => `/foreign/ws/${randomUUID()}`;

/** A session over one connection; frames wait until they are asked for. */
class Client {
  static async open({ url = address, ...options } = {}) {
    const client = new Client();
    client.socket = new WebSocket(url, 'sterna.v1', options);
    client.frames = [];
    client.wanted = [];
    client.socket.on('message', (data) => {
      const frame = JSON.parse(data);
      const want = client.wanted.shift();
      if (want) want(frame);
      else client.frames.push(frame);
    });
    await once(client.socket, 'open');
    const connected = await client.ask({ op: 'connect', token, client: 'ws' });
    assert.equal(connected.op, 'connected');
    return client;
  }

  send(request) {
    this.socket.send(JSON.stringify(request));
  }

  frame() {
    if (this.frames.length > 0) return Promise.resolve(this.frames.shift());
    return new Promise((resolve) => this.wanted.push(resolve));
  }

  ask(request) {
    this.send(request);
    return this.frame();
  }

  async close() {
    this.socket.close(1000);
    const [code] = await once(this.socket, 'close');
    assert.equal(code, 1000);
  }
}

test('a session publishes, subscribes, unsubscribes and resumes', async () => {
  const subject = newSubject();
  const client = await Client.open();
  assert.equal(client.socket.protocol, 'sterna.v1');
  const subscribed = await client.ask({ op: 'subscribe', id: 1, subjects: [subject] });
  assert.deepEqual([subscribed.op, subscribed.recovery], ['subscribed', 'fresh']);
  client.send({ op: 'publish', id: 2, subject, content: 'one' });
  const frames = [await client.frame(), await client.frame()];
  const message = frames.find((frame) => frame.op === 'message');
  assert.deepEqual([message.type, message.content], ['update', 'one']);
  assert.deepEqual(await client.ask({ op: 'unsubscribe', id: 3, subjects: [subject] }), { op: 'unsubscribed', id: 3, subject });
  assert.equal((await client.ask({ op: 'publish', id: 4, subject, content: 'two' })).status, 'OK');
  await client.close();

  const again = await Client.open();
  const resumed = await again.ask({ op: 'subscribe', subjects: [{ subject, epoch: message.epoch, seq: message.seq }] });
  assert.equal(resumed.recovery, 'complete');
  const missed = await again.frame();
  assert.deepEqual([missed.type, missed.content, missed.seq], ['recovered', 'two', message.seq + 1]);
  await again.close();
});

test('a thousand messages arrive in order, compressed or not', async () => {
  const subject = newSubject();
  const subscribers = [await Client.open(), await Client.open({ perMessageDeflate: false })];
  assert.match(subscribers[0].socket.extensions, /permessage-deflate/);
  assert.equal(subscribers[1].socket.extensions, '');
  for (const subscriber of subscribers) await subscriber.ask({ op: 'subscribe', subjects: [subject] });
  const publisher = await Client.open();
  const padding = 'x'.repeat(1000);
  for (let number = 0; number < 1000; number += 1) {
    publisher.send({ op: 'publish', subject, content: `${number} ${padding}` });
  }
  for (const subscriber of subscribers) {
    for (let number = 0; number < 1000; number += 1) {
      assert.equal((await subscriber.frame()).content, `${number} ${padding}`);
    }
    await subscriber.close();
  }
  await publisher.close();
});

test('history and conflation are asked for subject by subject', async () => {
  const subject = newSubject();
  const client = await Client.open();
  for (const content of ['a', 'b', 'c']) await client.ask({ op: 'publish', id: 1, subject, content });
  const items = [{ subject, history: 2 }, { subject: newSubject(), conflation_ms: 50 }];
  client.send({ op: 'subscribe', subjects: items });
  const frames = [];
  for (let count = 0; count < 4; count += 1) frames.push(await client.frame());
  const historical = frames.filter((frame) => frame.type === 'historical').map((frame) => frame.content);
  assert.deepEqual(historical, ['b', 'c']);
  await client.close();
});

test('pings are answered', async () => {
  const client = await Client.open();
  client.socket.ping('payload');
  const [payload] = await once(client.socket, 'pong');
  assert.equal(String(payload), 'payload');
  await client.close();
});

test('a text that is not UTF-8 and a frame that is too large close with their codes', async () => {
  for (const [data, options, expected] of [
    [Buffer.from([0xff, 0xfe]), { binary: false }, 1007],
    [Buffer.alloc(1_000_000, ' '), { binary: false }, 1009],
    [Buffer.from('x'), { binary: true }, 1003],
  ]) {
    const client = await Client.open();
    // The server may close before it has taken all.
    client.socket.on('error', () => {});
    client.socket.send(data, { ...options, compress: false });
    const [code] = await once(client.socket, 'close');
    assert.equal(code, expected);
  }
});

test('an unknown path is refused before it is a WebSocket', async () => {
  const socket = new WebSocket(address.replace('/ws', '/elsewhere'));
  const [, response] = await once(socket, 'unexpected-response');
  assert.equal(response.statusCode, 404);
  socket.on('error', () => {});
  socket.terminate();
});
