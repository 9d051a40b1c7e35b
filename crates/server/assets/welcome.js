// The welcome page's life: this member's health, and examples that name this very server.

import { copyFrom } from './clipboard.js';

const HEALTH_INTERVAL_MS = 5_000;

/** What a health status means to a visitor; a status that is not listed is shown as it is. */
const HEALTH_WORDS = {
  ok: ['good', 'This member is ready'],
  draining: ['warn', 'This member is draining: it hands its clients over'],
};

/**
 * Shows what `/health/ready` says.
 * @param {string} tone
 * @param {string} words
 * @param {Record<string, unknown>} [body] further fields, shown as they are
 */
function showHealth(tone, words, body = {}) {
  const pill = document.getElementById('health-state');
  const detail = document.getElementById('health-detail');
  if (pill.textContent !== words) pill.textContent = words;
  pill.dataset.tone = tone;
  detail.textContent = Object.entries(body)
    .filter(([name, value]) => name !== 'status' && typeof value !== 'object')
    .map(([name, value]) => `${name.replaceAll('_', ' ')}: ${value}`)
    .join(' · ');
}

async function askHealth() {
  if (document.hidden) return;
  try {
    const answer = await fetch('health/ready', { cache: 'no-store' });
    const body = await answer.json();
    const [tone, words] = HEALTH_WORDS[body.status] ?? ['warn', `This member is not ready: ${body.status}`];
    showHealth(tone, words, body);
  } catch {
    showHealth('bad', 'This member does not answer');
  }
}

/** Puts this server's addresses into the examples and a copy button beside each. */
function completeExamples() {
  const http = new URL('./', location.href);
  const ws = new URL('ws', http);
  ws.protocol = http.protocol === 'https:' ? 'wss:' : 'ws:';
  for (const code of document.querySelectorAll('.way-card code:not(p code)')) {
    code.textContent = code.textContent.replaceAll('{ws}', ws.href).replaceAll('{http}', http.href);
    const button = document.createElement('button');
    button.type = 'button';
    button.className = 'copy quiet';
    button.textContent = 'Copy';
    button.setAttribute('aria-label', `Copy the ${code.closest('article').querySelector('h3').textContent} example`);
    button.addEventListener('click', () => copyFrom(code.textContent, button));
    code.closest('article').append(button);
  }
}

completeExamples();
askHealth();
setInterval(askHealth, HEALTH_INTERVAL_MS);
document.addEventListener('visibilitychange', askHealth);
