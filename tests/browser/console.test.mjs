// The Debug Console in a browser: connect, subscribe, publish, watch, and come back.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  backgroundLightness,
  eventually,
  openPage,
  overflowsSideways,
  publishRaw,
  subjectOf,
  tabOrder,
  token,
  url,
  weakContrasts,
} from './browser.mjs';

/** Opens the console with the rights that its tests need. */
async function openConsole(t, options = {}) {
  return openPage(t, '/console.html', { permissions: ['clipboard-read', 'clipboard-write'], ...options });
}

async function connect(page, secret = token) {
  await page.getByTestId('token').fill(secret);
  await page.getByTestId('connect').click();
  await inState(page, 'connected');
}

const inState = (page, name) => page.locator(`[data-testid=state][data-state=${name}]`).waitFor();

async function subscribe(page, subjects, { history = '' } = {}) {
  await page.getByTestId('history').fill(String(history));
  await page.getByTestId('subjects').fill(subjects.join('\n'));
  await page.getByTestId('subscribe').click();
  for (const subject of subjects) await subscription(page, subject).waitFor();
}

const subscription = (page, subject) => page.locator(`[data-testid=subscription][data-subject="${subject}"]`);
const answerOf = (page, subject) => subscription(page, subject).getByTestId('subscription-answer').textContent();

async function answered(page, subject, answer) {
  await eventually(async () => assert.equal(await answerOf(page, subject), answer));
}

async function publish(page, subject, content) {
  await page.getByTestId('publish-subject').fill(subject);
  await page.getByTestId('content').fill(content);
  const before = await resultOf(page);
  await page.getByTestId('publish').click();
  return eventually(async () => {
    const result = await resultOf(page);
    assert.notEqual(result, before);
    return result;
  });
}

const resultOf = (page) => page.getByTestId('publish-result').textContent();

/** Type, seq and content of the visible rows of a subject, from the top. */
const rowsOf = (page, subject) =>
  page.locator(`[data-testid=message-row][data-subject="${subject}"]:not([hidden])`).evaluateAll((rows) =>
    rows
      .map((row) => [
        Number(row.getAttribute('aria-posinset')),
        [row.dataset.type, Number(row.dataset.seq), row.querySelector('.content').textContent],
      ])
      .sort(([one], [other]) => one - other)
      .map(([, row]) => row),
  );

const eventuallyRows = (page, subject, rows) =>
  eventually(async () => assert.deepEqual(await rowsOf(page, subject), rows));

const logText = (page) => page.getByTestId('log').textContent();

/** A door between the page and the server: can cut, refuse, speak in the server's name, and counts who passes. */
function door() {
  const state = { open: true, passed: 0, last: undefined };
  return {
    state,
    prepare: (page) =>
      page.routeWebSocket('**/ws', (socket) => {
        if (!state.open) {
          socket.close({ code: 4301, reason: 'going_away' });
          return;
        }
        state.passed += 1;
        state.last = socket;
        socket.connectToServer();
      }),
    cut: (code, reason) => state.last.close({ code, reason }),
    say: (frame) => state.last.send(JSON.stringify(frame)),
  };
}

test('subscribes with history, publishes, and sees its own message with position and exact latency', async (t) => {
  const page = await openConsole(t);
  const subject = subjectOf('own');
  await publishRaw(page, subject, ['one', 'two', 'three']);
  await connect(page);
  await subscribe(page, [subject], { history: 2 });
  await answered(page, subject, 'fresh');
  await eventually(async () => {
    const historical = (await rowsOf(page, subject)).filter(([type]) => type === 'historical');
    assert.deepEqual(historical, [
      ['historical', 3, 'three'],
      ['historical', 2, 'two'],
    ]);
  });

  assert.match(await publish(page, subject, 'four'), /^OK · \d+:4 · [\d.]+ ms/);
  await eventually(async () => assert.deepEqual((await rowsOf(page, subject))[0], ['update', 4, 'four']));
  const own = page.locator(`[data-testid=message-row][data-subject="${subject}"][data-seq="4"]`);
  assert.match(await own.locator('.latency.exact').textContent(), /ms$/);
  await eventually(async () =>
    assert.match(await subscription(page, subject).getByTestId('subscription-position').textContent(), /^\d+:4$/),
  );
  assert.equal(await subscription(page, subject).getByTestId('subscription-order').textContent(), 'in order');
});

test('comes back by itself after its socket was cut and misses nothing', async (t) => {
  const gate = door();
  const page = await openConsole(t, { prepare: gate.prepare });
  const other = await openPage(t, '/');
  const subject = subjectOf('resume');
  await connect(page);
  await subscribe(page, [subject]);
  await answered(page, subject, 'fresh');
  await publish(page, subject, 'one');

  gate.state.open = false;
  gate.cut(4300, 'slow_consumer');
  await inState(page, 'waiting');
  await publishRaw(other, subject, ['two', 'three']);
  gate.state.open = true;
  await eventually(async () => {
    const now = page.getByTestId('connect');
    if (await now.isVisible()) await now.click({ timeout: 200 }).catch(() => {});
    assert.equal(await page.getByTestId('state').getAttribute('data-state'), 'connected');
  });

  await answered(page, subject, 'complete');
  await publish(page, subject, 'four');
  await eventuallyRows(page, subject, [
    ['update', 4, 'four'],
    ['recovered', 3, 'three'],
    ['recovered', 2, 'two'],
    ['update', 1, 'one'],
  ]);
  assert.equal(await subscription(page, subject).getByTestId('subscription-order').textContent(), 'in order');
  await eventually(async () => assert.match(await logText(page), /4300 slow_consumer/));
});

test('resumes after the page itself lost its socket', async (t) => {
  const page = await openConsole(t, {
    prepare: (page) =>
      page.addInitScript(() => {
        window.sockets = [];
        window.WebSocket = class extends WebSocket {
          constructor(...address) {
            super(...address);
            window.sockets.push(this);
          }
        };
      }),
  });
  const subject = subjectOf('lost');
  await connect(page);
  await subscribe(page, [subject]);
  await answered(page, subject, 'fresh');
  await page.evaluate(() => window.sockets.at(-1).close());
  await eventually(async () => assert.equal(await page.evaluate(() => window.sockets.length), 2));
  await answered(page, subject, 'complete');
  await publish(page, subject, 'after');
  await eventuallyRows(page, subject, [['update', 1, 'after']]);
});

test('stays away after a refusal, and comes back when asked', async (t) => {
  const gate = door();
  const page = await openConsole(t, {
    prepare: async (page) => {
      await page.clock.install();
      await gate.prepare(page);
    },
  });
  await connect(page);
  gate.cut(4031, 'token_invalid');
  await inState(page, 'refused');
  await page.clock.runFor(120_000);
  assert.equal(gate.state.passed, 1);
  assert.match(await page.getByTestId('connect-trouble').textContent(), /4031 token_invalid/);
  await page.getByTestId('connect').click();
  await inState(page, 'connected');
});

test('goes when told to, and comes back at the announced time', async (t) => {
  const gate = door();
  const page = await openConsole(t, { prepare: gate.prepare });
  await connect(page);
  const began = Date.now();
  gate.say({ op: 'notice', notice: 'going_away', reconnect_after_ms: 700, servers: [new URL(url).host] });
  await eventually(async () => assert.equal(gate.state.passed, 2));
  const waited_ms = Date.now() - began;
  assert.ok(waited_ms >= 690, `${waited_ms} ms`);
  await inState(page, 'connected');
  await eventually(async () => assert.match(await logText(page), /This member goes away/));
});

test('warns of an expiring token and renews it on the live connection', async (t) => {
  const gate = door();
  const page = await openConsole(t, { prepare: gate.prepare });
  await connect(page);
  gate.say({ op: 'notice', notice: 'token_to_expire', expires_in_ms: 60_000 });
  await eventually(async () =>
    assert.match(await page.getByTestId('session-line').textContent(), /token expires in (59|60|1 min)/),
  );
  await page.getByTestId('renew').click();
  await eventually(async () => assert.match(await logText(page), /Token renewed/));
  assert.equal(gate.state.passed, 1);
});

test('shows a subscription that the server ended as refused, and asks again after a renewal', async (t) => {
  const gate = door();
  const page = await openConsole(t, { prepare: gate.prepare });
  const subject = subjectOf('revoked');
  await connect(page);
  await subscribe(page, [subject]);
  await answered(page, subject, 'fresh');
  gate.say({ op: 'error', code: 4033, name: 'subscribe_denied', class: 'rejected', subject, advice: 'Ask for it.' });
  await answered(page, subject, 'refused');
  await page.getByTestId('renew').click();
  await answered(page, subject, 'complete');
});

test("takes several subjects in one go and shows each one's own state", async (t) => {
  const page = await openConsole(t);
  const [one, two, three] = ['one', 'with space', 'three'].map(subjectOf);
  await connect(page);
  await page.getByTestId('subjects').fill(`${one}, ${two} ${three}\n/not//valid`);
  await page.getByTestId('subjects').press('Enter');
  for (const subject of [one, two, three]) await answered(page, subject, 'fresh');
  await answered(page, '/not//valid', 'refused');
  await eventually(async () => assert.match(await logText(page), /4007 subject_invalid/));

  await publish(page, two, 'to two');
  await eventuallyRows(page, two, [['update', 1, 'to two']]);
  await eventually(async () =>
    assert.equal(await subscription(page, two).getByTestId('subscription-count').textContent(), '1'),
  );

  await subscription(page, two).getByTestId('unsubscribe').click();
  await subscription(page, two).waitFor({ state: 'detached' });
  await publish(page, two, 'unheard');
  await publish(page, one, 'heard');
  await eventuallyRows(page, one, [['update', 1, 'heard']]);
  assert.equal((await rowsOf(page, two)).length, 1);

  await page.getByTestId('filter').fill('SPACE');
  await eventuallyRows(page, one, []);
  await eventuallyRows(page, two, [['update', 1, 'to two']]);
});

test('pause holds the list and keeps counting, continue shows what came, clear empties', async (t) => {
  const page = await openConsole(t);
  const subject = subjectOf('pause');
  await connect(page);
  await subscribe(page, [subject]);
  await answered(page, subject, 'fresh');
  await publish(page, subject, 'before');
  await eventuallyRows(page, subject, [['update', 1, 'before']]);

  await page.getByTestId('pause').click();
  await publish(page, subject, 'held');
  await eventually(async () =>
    assert.match(await page.getByTestId('messages-count').textContent(), /^2 .*paused, 1 held/),
  );
  await eventuallyRows(page, subject, [['update', 1, 'before']]);
  await page.getByTestId('pause').click();
  await eventuallyRows(page, subject, [
    ['update', 2, 'held'],
    ['update', 1, 'before'],
  ]);

  await page.getByTestId('order').selectOption('bottom');
  await eventuallyRows(page, subject, [
    ['update', 1, 'before'],
    ['update', 2, 'held'],
  ]);

  await page.getByTestId('clear').click();
  await eventuallyRows(page, subject, []);
  await publish(page, subject, 'after');
  await eventuallyRows(page, subject, [['update', 3, 'after']]);
});

test('a reader who scrolled away keeps the place, and is told what came', async (t) => {
  const page = await openConsole(t);
  const subject = subjectOf('scroll');
  const inSight = () =>
    page.evaluate(() => {
      const { left, top } = document.getElementById('list').getBoundingClientRect();
      return document.elementFromPoint(left + 100, top + 60).closest('.row')?.dataset.seq;
    });
  await publishRaw(
    page,
    subject,
    Array.from({ length: 100 }, (_, index) => `${index + 1}`),
  );
  await connect(page);
  await subscribe(page, [subject], { history: 100 });
  await eventually(async () => assert.equal(await inSight(), '98'));
  await page.getByTestId('list').evaluate((list) => (list.scrollTop = 28 * 40));
  await eventually(async () => assert.equal(await inSight(), '58'));
  await publishRaw(page, subject, ['101', '102', '103']);
  await eventually(async () => assert.equal(await page.getByTestId('catch-up').textContent(), '↑ 3 newer'));
  assert.equal(await inSight(), '58');
  await page.getByTestId('catch-up').click();
  await eventually(async () => assert.equal(await inSight(), '101'));
});

test('options of a publish reach the subscriber, and the inspector shows them', async (t) => {
  const page = await openConsole(t);
  const subject = subjectOf('options');
  const shown = () => page.getByTestId('inspector-content').textContent();
  const facts = () => page.getByTestId('inspector-facts').textContent();
  const select = (seq) =>
    page.locator(`[data-testid=message-row][data-subject="${subject}"][data-seq="${seq}"]`).first().click();
  await connect(page);
  await subscribe(page, [subject]);
  await answered(page, subject, 'fresh');
  await page.getByTestId('publish-options').locator('summary').click();

  await page.getByTestId('compression').selectOption('deflate');
  await page.getByTestId('reply-to').fill(`${subject}/reply`);
  await page.getByTestId('retained').uncheck();
  await publish(page, subject, '{"deep":[1,2]}');
  await select(1);
  await eventually(async () => assert.equal(await shown(), '{\n  "deep": [\n    1,\n    2\n  ]\n}'));
  assert.match(await facts(), /guaranteed, not retained.*deflate/);
  await page.getByTestId('pretty').uncheck();
  await eventually(async () => assert.equal(await shown(), '{"deep":[1,2]}'));
  await page.getByTestId('copy-row').click();
  await eventually(async () => {
    const row = JSON.parse(await page.evaluate(() => navigator.clipboard.readText()));
    assert.deepEqual([row.subject, row.seq, row.reply_to], [subject, 1, `${subject}/reply`]);
  });
  await page.getByTestId('reply').click();
  assert.equal(await page.getByTestId('publish-subject').inputValue(), `${subject}/reply`);

  await page.getByTestId('compression').selectOption('');
  await page.getByTestId('binary').check();
  await publish(page, subject, '/wD+');
  await select(2);
  await eventually(async () => assert.match(await shown(), /^000000 {2}ff 00 fe/));
  await page.getByTestId('form').selectOption('base64');
  await eventually(async () => assert.equal(await shown(), '/wD+'));

  await page.getByTestId('binary').uncheck();
  await page.getByTestId('qos').selectOption('standard');
  assert.match(await publish(page, subject, 'at most once'), /^OK · [\d.]+ ms/);
  await eventually(async () => assert.deepEqual((await rowsOf(page, subject))[0], ['update', 2, 'at most once']));
});

test('the same publisher sequence again is a duplicate and is delivered once', async (t) => {
  const page = await openConsole(t);
  const subject = subjectOf('twice');
  await connect(page);
  await subscribe(page, [subject]);
  await answered(page, subject, 'fresh');
  await page.getByTestId('publish-options').locator('summary').click();
  await page.getByTestId('publisher-auto').uncheck();
  const first = await publish(page, subject, 'once');
  const second = await publish(page, subject, 'once');
  assert.match(second, /duplicate/);
  assert.equal(first.match(/\d+:\d+/)[0], second.match(/\d+:\d+/)[0]);
  await eventuallyRows(page, subject, [['update', 1, 'once']]);
});

test('a repetition publishes all, in order', async (t) => {
  const page = await openConsole(t);
  const subject = subjectOf('repeat');
  await connect(page);
  await subscribe(page, [subject]);
  await answered(page, subject, 'fresh');
  await page.getByTestId('publish-options').locator('summary').click();
  await page.getByTestId('repeat').fill('300');
  await page.getByTestId('every').fill('0');
  await page.getByTestId('publish-subject').fill(subject);
  await page.getByTestId('content').fill('tick {n}');
  await page.getByTestId('content').press('Control+Enter');
  await eventually(async () => assert.match(await resultOf(page), /^300 of 300 OK · last \d+:300 .* in /));
  await eventually(async () => assert.deepEqual((await rowsOf(page, subject))[0], ['update', 300, 'tick 300']));
  await eventually(async () =>
    assert.equal(await subscription(page, subject).getByTestId('subscription-count').textContent(), '300'),
  );
  assert.equal(await subscription(page, subject).getByTestId('subscription-order').textContent(), 'in order');
});

test('a publish without the right is answered with code and advice', async (t) => {
  const page = await openConsole(t);
  await connect(page, '');
  assert.match(await publish(page, subjectOf('denied'), 'no'), /^DENIED · 40\d\d \w+ · .+\./);
  await eventually(async () => assert.match(await logText(page), /DENIED/));
});

test('a publish while disconnected says so', async (t) => {
  const page = await openConsole(t);
  assert.match(await publish(page, '/nowhere', 'no'), /^FAILED · not_connected · Connect first\./);
});

test('the token stays out of address and storage unless it is to be remembered', async (t) => {
  const page = await openConsole(t);
  const stored = () =>
    page.evaluate(() => JSON.stringify({ ...localStorage, ...sessionStorage }) + document.cookie + location.href);
  assert.equal(await page.getByTestId('token').getAttribute('type'), 'password');
  await connect(page);
  assert.ok(!(await stored()).includes(token));
  await page.getByTestId('remember').check();
  assert.ok((await stored()).includes(token));
  await page.reload();
  assert.equal(await page.getByTestId('token').inputValue(), token);
  await page.getByTestId('remember').uncheck();
  assert.ok(!(await stored()).includes(token));
  await page.getByTestId('token-show').click();
  assert.equal(await page.getByTestId('token').getAttribute('type'), 'text');
});

test('keyboard reaches everything and the single keys work outside fields', async (t) => {
  const page = await openConsole(t);
  const subject = subjectOf('keys');
  assert.deepEqual(await tabOrder(page, 9), [
    'Skip to the messages',
    'Sterna',
    'Keys',
    'url',
    'remember',
    'token',
    'token-show',
    'connect',
    'subjects',
  ]);
  await connect(page);
  await subscribe(page, [subject]);
  await answered(page, subject, 'fresh');
  await page.getByTestId('content').fill('typed');
  await page.getByTestId('publish-subject').fill(subject);
  await page.getByTestId('publish-subject').press('Enter');
  await eventuallyRows(page, subject, [['update', 1, 'typed']]);
  await page.getByTestId('content').press('p');
  assert.equal(await page.getByTestId('pause').textContent(), 'Pause');

  await page.getByTestId('list').focus();
  await page.keyboard.press('p');
  assert.equal(await page.getByTestId('pause').textContent(), 'Continue');
  await page.keyboard.press('p');
  await page.keyboard.press('ArrowDown');
  await page.getByTestId('inspector').waitFor();
  // Looked up in one step: while the list is drawn anew the attribute names a row for a moment only.
  await eventually(async () => {
    const selected = await page.getByTestId('list').evaluate((list) => {
      const active = list.getAttribute('aria-activedescendant');
      return active && document.getElementById(active)?.ariaSelected;
    });
    assert.equal(selected, 'true');
  });
  await page.keyboard.press('Escape');
  await page.getByTestId('inspector').waitFor({ state: 'hidden' });
  await page.keyboard.press('/');
  assert.equal(await page.evaluate(() => document.activeElement.dataset.testid), 'filter');

  const nameless = await page.evaluate(() =>
    [...document.querySelectorAll('input, select, textarea')]
      .filter((field) => !field.labels.length && !field.ariaLabel)
      .map((field) => field.id),
  );
  assert.deepEqual(nameless, []);
});

test('fits a phone and is readable in both colour schemes', async (t) => {
  for (const colorScheme of ['light', 'dark']) {
    for (const width of [320, 390, 820, 1280]) {
      const page = await openConsole(t, { colorScheme, viewport: { width, height: 740 } });
      const subject = subjectOf('a-subject-with-quite-a-long-name-that-does-not-fit-a-phone');
      await connect(page);
      await subscribe(page, [subject, '/not//valid']);
      await answered(page, subject, 'fresh');
      for (const letter of ['x', 'y']) await publish(page, subject, `{"long":"${letter.repeat(400)}"}`);
      await page.getByTestId('list').focus();
      await page.keyboard.press('ArrowDown');
      await page.getByTestId('inspector').waitFor();
      await eventually(async () => {
        const boxes = await page
          .locator('.row:not([hidden])')
          .evaluateAll((rows) => rows.map((row) => row.getBoundingClientRect().toJSON()));
        const [upper, lower] = boxes.sort((one, other) => one.top - other.top);
        assert.equal(upper.bottom, lower.top, `rows overlap at ${width}`);
      });
      assert.equal(await overflowsSideways(page), false, `${width} ${colorScheme}`);
      assert.deepEqual(await weakContrasts(page), [], `${width} ${colorScheme}`);
      assert.equal((await backgroundLightness(page)) < 0.3, colorScheme === 'dark');
    }
  }
});

test('survives 5,000 messages a second with a bounded list', async (t) => {
  const page = await openConsole(t, {
    // A socket that needs no server: the list is on trial here, not the wire.
    prepare: (page) =>
      page.addInitScript(() => {
        window.WebSocket = class {
          static OPEN = 1;
          readyState = 1;
          url = 'ws://flood/ws';
          constructor() {
            setTimeout(() => this.onopen());
          }
          send(text) {
            const { op, id, subjects } = JSON.parse(text);
            const say = (frame) => this.onmessage({ data: JSON.stringify(frame) });
            if (op === 'connect')
              say({
                op: 'connected',
                session: '1',
                server: 'flood',
                delivery: 'guaranteed',
                message_bytes_max: 65536,
                keep_alive_ms: 30000,
              });
            if (op === 'ping') say({ op: 'pong', id });
            if (op !== 'subscribe') return;
            const { subject } = subjects[0];
            say({ op: 'subscribed', id, subject, recovery: 'fresh', epoch: 1, seq: 0 });
            let seq = 0;
            const began = performance.now();
            const timer = setInterval(() => {
              const due = Math.min(20_000, (performance.now() - began) * 5);
              while (seq < due)
                say({
                  op: 'message',
                  subject,
                  type: 'update',
                  epoch: 1,
                  seq: ++seq,
                  time_ms: Date.now(),
                  content: `{"price":${seq}}`,
                });
              if (seq === 20_000) clearInterval(timer);
            }, 4);
          }
          close() {}
        };
        window.frames_ms = [];
        let last = performance.now();
        requestAnimationFrame(function frame(now) {
          window.frames_ms.push(now - last);
          last = now;
          requestAnimationFrame(frame);
        });
      }),
  });
  await connect(page);
  await page.evaluate(() => (window.frames_ms.length = 0));
  await subscribe(page, ['/flood']);
  await eventually(async () =>
    assert.equal(await subscription(page, '/flood').getByTestId('subscription-count').textContent(), '20,000'),
  );
  assert.equal(await subscription(page, '/flood').getByTestId('subscription-order').textContent(), 'in order');
  await eventually(async () =>
    assert.deepEqual((await rowsOf(page, '/flood'))[0], ['update', 20_000, '{"price":20000}']),
  );
  assert.ok((await page.getByTestId('message-row').count()) < 120);
  assert.equal(await page.locator('#row-0').getAttribute('aria-setsize'), '1000');
  const frames_ms = (await page.evaluate(() => window.frames_ms)).sort((one, other) => one - other);
  const typical_ms = frames_ms[Math.floor(frames_ms.length * 0.9)];
  t.diagnostic(
    `${frames_ms.length} frames, nine of ten within ${typical_ms.toFixed(0)} ms, slowest ${frames_ms.at(-1).toFixed(0)} ms`,
  );
  assert.ok(typical_ms < 250, `${typical_ms} ms`);
});
