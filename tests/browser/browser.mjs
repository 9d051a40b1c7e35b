// What the browser tests share: one browser, watched pages, polling, contrast, a second client.

import assert from 'node:assert/strict';
import { after } from 'node:test';
import { chromium } from 'playwright-core';

/** Address of the server under test, http or https, without a path. */
export const url = (process.env.STERNA_URL ?? '').replace(/\/$/, '');
/** A token that may publish. */
export const token = process.env.TOKEN ?? 'some-token';

const EVENTUALLY_MS = 10_000;
const POLL_MS = 25;

let browser;

after(() => browser?.close());

/** A part of the subject space that no earlier run has used: the server remembers. */
export const subjectOf = (name) => `/browser-test/${crypto.randomUUID()}/${name}`;

/**
 * Opens a page of the server in a fresh profile. When the test ends, the page must have logged no error, thrown
 * nothing, and asked no other origin for anything.
 */
export async function openPage(t, path, { prepare, ...options } = {}) {
  assert.ok(url, 'set STERNA_URL to the server under test, for instance http://127.0.0.1:8800');
  browser ??= await chromium.launch({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    args: [
      '--no-sandbox',
      '--disable-gpu',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
      '--no-first-run',
    ],
  });
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, ...options });
  const page = await context.newPage();
  page.setDefaultTimeout(EVENTUALLY_MS);
  const troubles = [];
  const host = new URL(url).host;
  page.on('console', (line) => line.type() === 'error' && troubles.push(`console: ${line.text()}`));
  page.on('pageerror', (error) => troubles.push(`thrown: ${error}`));
  page.on('request', (request) => new URL(request.url()).host !== host && troubles.push(`asked ${request.url()}`));
  await prepare?.(page);
  await page.goto(url + path);
  t.after(async () => {
    await context.close();
    assert.deepEqual(troubles, []);
  });
  return page;
}

/** Repeats a check until it holds; its last failure is the test's. */
export async function eventually(check) {
  const end = Date.now() + EVENTUALLY_MS;
  for (;;) {
    try {
      return await check();
    } catch (error) {
      if (Date.now() > end) throw error;
    }
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}

/** Publishes over a WebSocket of the page's own, past the console, and returns the results. */
export function publishRaw(page, subject, contents) {
  return page.evaluate(
    ([address, token, subject, contents]) =>
      new Promise((resolve, reject) => {
        const results = [];
        const socket = new WebSocket(address);
        const send = (frame) => socket.send(JSON.stringify(frame));
        socket.onerror = () => reject(new Error('the socket failed'));
        socket.onopen = () => send({ op: 'connect', token });
        socket.onmessage = ({ data }) => {
          const frame = JSON.parse(data);
          if (frame.op === 'error') reject(new Error(data));
          if (frame.op === 'connected') {
            contents.forEach((content, index) => send({ op: 'publish', id: index + 1, subject, content }));
          }
          if (frame.op !== 'published') return;
          results.push(frame);
          if (results.length < contents.length) return;
          socket.close();
          resolve(results);
        };
      }),
    [`${url.replace(/^http/, 'ws')}/ws`, token, subject, contents],
  );
}

/** Whether the page can be scrolled sideways. */
export const overflowsSideways = (page) =>
  page.evaluate(() => document.documentElement.scrollWidth > document.documentElement.clientWidth);

/** Test ids, or texts, of what the Tab key reaches, in its order, from the top of the page. */
export async function tabOrder(page, steps) {
  await page.evaluate(() => {
    document.activeElement?.blur();
    getSelection().removeAllRanges();
  });
  const order = [];
  for (let step = 0; step < steps; step += 1) {
    await page.keyboard.press('Tab');
    order.push(
      await page.evaluate(() => document.activeElement.dataset.testid ?? document.activeElement.textContent.trim()),
    );
  }
  return order;
}

/** Visible texts whose contrast is below WCAG AA: 4.5, or 3 for large type. */
export function weakContrasts(page) {
  return page.evaluate(() => {
    const canvas = document.createElement('canvas').getContext('2d', { willReadFrequently: true });
    const rgba = (colour) => {
      canvas.clearRect(0, 0, 1, 1);
      canvas.fillStyle = colour;
      canvas.fillRect(0, 0, 1, 1);
      return [...canvas.getImageData(0, 0, 1, 1).data];
    };
    const luminance = (colour) => {
      const [r, g, b] = colour.map((value) =>
        value / 255 <= 0.04045 ? value / 255 / 12.92 : ((value / 255 + 0.055) / 1.055) ** 2.4,
      );
      return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const behind = (element) => {
      for (let at = element; at; at = at.parentElement) {
        const colour = rgba(getComputedStyle(at).backgroundColor);
        if (colour[3] === 255) return colour;
      }
      return rgba('Canvas');
    };
    const weak = [];
    for (const element of document.querySelectorAll('body *')) {
      const has_text = [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
      const field = element.matches('input:not([type=checkbox]), textarea, select');
      if ((!has_text && !field) || !element.checkVisibility() || element.closest('svg, :disabled, .unseen')) continue;
      const style = getComputedStyle(element);
      const [light, dark] = [luminance(rgba(style.color)), luminance(behind(element))].sort((a, b) => b - a);
      const ratio = (light + 0.05) / (dark + 0.05);
      const px = parseFloat(style.fontSize);
      const needed = px >= 24 || (px >= 18.66 && style.fontWeight >= 700) ? 3 : 4.5;
      if (ratio < needed)
        weak.push(
          `${element.tagName} ${element.className} ${ratio.toFixed(2)}: ${element.textContent.trim().slice(0, 40)}`,
        );
    }
    return weak;
  });
}

/** Luminance of the page's background, 0 to 1, roughly. */
export const backgroundLightness = (page) =>
  page.evaluate(() => {
    const [r, g, b] = getComputedStyle(document.body)
      .backgroundColor.match(/[\d.]+/g)
      .map(Number);
    return (r + g + b) / 3 / 255;
  });
