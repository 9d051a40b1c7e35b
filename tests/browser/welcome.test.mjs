// The welcome page, and the protocols that its examples show, from a browser.

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

test('welcome page says what this is, how the member is, and where to go', async (t) => {
  const page = await openPage(t, '/');
  assert.equal(await page.title(), 'Sterna');
  await eventually(async () =>
    assert.equal(await page.getByTestId('health-state').textContent(), 'This member is ready'),
  );
  for (const path of await page
    .locator('main a[href^="health"]')
    .evaluateAll((links) => links.map((link) => link.pathname))) {
    assert.equal((await page.request.get(url + path)).status(), 200, path);
  }
  await page.getByTestId('open-console').click();
  await page.waitForURL('**/console.html');
});

test('welcome page names this server in its examples', async (t) => {
  const page = await openPage(t, '/');
  const host = new URL(url).host;
  for (const way of ['cli', 'websocket', 'eventsource', 'rest']) {
    const text = await page.getByTestId(`way-${way}`).locator('pre').textContent();
    assert.ok(text.includes(host) && !/[{](ws|http)[}]/.test(text), text);
  }
});

test('every page forbids inline scripts and foreign origins', async () => {
  for (const path of ['/', '/console.html']) {
    const policy = (await fetch(url + path)).headers.get('content-security-policy') ?? '';
    assert.match(policy, /default-src 'none'/, path);
    assert.doesNotMatch(policy, /unsafe/, path);
  }
});

test('welcome page fits a phone, in both colour schemes, with readable contrast', async (t) => {
  for (const colorScheme of ['light', 'dark']) {
    const page = await openPage(t, '/', { colorScheme, viewport: { width: 320, height: 700 } });
    await eventually(async () =>
      assert.equal(await page.getByTestId('health-state').getAttribute('data-tone'), 'good'),
    );
    assert.equal(await overflowsSideways(page), false, colorScheme);
    assert.deepEqual(await weakContrasts(page), [], colorScheme);
    assert.equal((await backgroundLightness(page)) < 0.3, colorScheme === 'dark');
  }
});

test('welcome page is reached by keyboard in reading order and moves for nobody who does not want it', async (t) => {
  const page = await openPage(t, '/', { reducedMotion: 'reduce' });
  assert.deepEqual(await tabOrder(page, 8), [
    'Skip to content',
    'Sterna',
    'menu-console',
    'menu-health',
    'First minute',
    'Documents',
    'open-console',
    'Publish in one minute',
  ]);
  const moving = await page.evaluate(() => document.getAnimations().length);
  assert.equal(moving, 0);
});

test('a raw WebSocket of the page publishes with one position after the other', async (t) => {
  const page = await openPage(t, '/');
  const results = await publishRaw(page, subjectOf('raw'), ['one', 'two', 'three']);
  assert.deepEqual(
    results.map(({ id, status }) => [id, status]),
    [
      [1, 'OK'],
      [2, 'OK'],
      [3, 'OK'],
    ],
  );
  assert.deepEqual(
    results.map(({ seq }) => seq - results[0].seq),
    [0, 1, 2],
  );
});

test('EventSource delivers, and resumes with what was missed', async (t) => {
  const page = await openPage(t, '/');
  const subject = subjectOf('events');
  await page.evaluate((subject) => {
    window.heard = [];
    window.listen = (query) =>
      new Promise((resolve) => {
        window.flow = new EventSource(`sse?subject=${encodeURIComponent(subject)}${query}`);
        window.flow.addEventListener('subscribed', (event) => resolve(JSON.parse(event.data)));
        window.flow.addEventListener('message', (event) =>
          window.heard.push({ id: event.lastEventId, ...JSON.parse(event.data) }),
        );
      });
  }, subject);
  const heard = () => page.evaluate(() => window.heard.map(({ type, seq, content }) => [type, seq, content]));

  assert.equal((await page.evaluate(() => window.listen(''))).recovery, 'fresh');
  await publishRaw(page, subject, ['one']);
  await eventually(async () => assert.deepEqual(await heard(), [['update', 1, 'one']]));

  await page.evaluate(() => window.flow.close());
  await publishRaw(page, subject, ['two', 'three']);
  const resumed = await page.evaluate(() =>
    window.listen(`&last_event_id=${encodeURIComponent(window.heard.at(-1).id)}`),
  );
  assert.equal(resumed.recovery, 'complete');
  await eventually(async () =>
    assert.deepEqual(await heard(), [
      ['update', 1, 'one'],
      ['recovered', 2, 'two'],
      ['recovered', 3, 'three'],
    ]),
  );
  await page.evaluate(() => window.flow.close());
});

test('REST example of the welcome page is answered, or says how to switch it on', async () => {
  const subject = subjectOf('rest');
  const answer = await fetch(`${url}/rest/produce?subject=${encodeURIComponent(subject)}`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}` },
    body: 'hello',
  });
  const body = await answer.json();
  if (answer.ok) assert.equal(body.status, 'OK');
  else assert.equal(body.name, 'rest_disabled');
});
