// When and where a client comes back: pure rules over close codes, attempts and going-away notices.

/** The first retries are quick; a dropped socket is mostly a moment's trouble. */
const QUICK_RETRIES = 3;
const QUICK_MS = 500;
/** Then the pause doubles up to the bound. */
const INTERVAL_MS = 1_000;
const DELAY_MS_MAX = 30_000;

/** WebSocket's own close codes that Sterna uses for requests that would fail again (RFC 6455, 7.4.1). */
const REJECTED_STANDARD = new Set([1002, 1003, 1007, 1009]);

/** @typedef {'rejected' | 'busy' | 'unavailable' | 'broken' | 'lost'} CloseClass */

/**
 * Who is at fault for a closed connection; the class follows from the number's range, so it also holds for
 * codes that this version does not know.
 * @param {number} code WebSocket close code
 * @returns {CloseClass} `lost` when the server did not say why
 */
export function classOf(code) {
  if ((code >= 4000 && code < 4200) || REJECTED_STANDARD.has(code)) return 'rejected';
  if (code >= 4200 && code < 4300) return 'busy';
  if (code >= 4300 && code < 4400) return 'unavailable';
  if (code >= 4400 && code < 4500) return 'broken';
  return 'lost';
}

/**
 * Pause before a reconnect.
 * @param {number} attempt 0 for the first one after a connection that stood
 * @param {CloseClass} closed why the last connection ended
 * @param {() => number} random in [0, 1)
 * @returns {number} milliseconds
 */
export function delayMs(attempt, closed, random = Math.random) {
  const quick = closed === 'busy' ? 0 : QUICK_RETRIES;
  if (attempt < quick) return QUICK_MS * (attempt + 1) - random() * QUICK_MS;
  const full = Math.min(INTERVAL_MS * 2 ** (attempt - quick + 1), DELAY_MS_MAX);
  return full - (random() * full) / 2;
}

/**
 * Addresses to try in turn: those a going-away notice named, then the one the user gave.
 * @param {string} url the user's
 * @param {string[]} servers `host:port` of other members
 * @returns {string[]}
 */
export function candidates(url, servers) {
  const named = servers.map((server) => {
    const other = new URL(url);
    other.host = server;
    return other.href;
  });
  return [...new Set([...named, url])];
}
