// Numbers and times as people read them.

const two = (/** @type {number} */ number) => String(number).padStart(2, '0');

/**
 * Local time of day with milliseconds.
 * @param {number} unix_ms
 */
export function timeOfDay(unix_ms) {
  const date = new Date(unix_ms);
  const ms = String(date.getMilliseconds()).padStart(3, '0');
  return `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}.${ms}`;
}

/**
 * A duration with the unit that fits. Negative ones exist: two clocks may differ.
 * @param {number} ms
 */
export function duration(ms) {
  const sign = ms < 0 ? '−' : '';
  const size = Math.abs(ms);
  if (size < 10) return `${sign}${Number.isInteger(size) ? size : size.toFixed(1)} ms`;
  if (size < 1_000) return `${sign}${Math.round(size)} ms`;
  if (size < 60_000) return `${sign}${(size / 1_000).toFixed(1)} s`;
  const minutes = Math.floor(size / 60_000);
  if (minutes < 60) return `${sign}${minutes} min ${Math.floor(size / 1_000) % 60} s`;
  if (minutes < 1_440) return `${sign}${Math.floor(minutes / 60)} h ${minutes % 60} min`;
  return `${sign}${Math.floor(minutes / 1_440)} d`;
}

const grouping = new Intl.NumberFormat('en');

/** @param {number} number */
export const count = (number) => grouping.format(number);

/** @param {number} bytes */
export function size(bytes) {
  return bytes < 1_024 ? `${bytes} B` : `${(bytes / 1_024).toFixed(1)} KB`;
}

/** @param {{epoch?: number, seq?: number} | undefined} position */
export function position(position) {
  return position?.seq === undefined ? '–' : `${position.epoch}:${position.seq}`;
}

/**
 * One line out of a refusal: code, name, what to do.
 * @param {import('./protocol.js').Refusal} refusal
 */
export function refusal({ code, name, detail, advice }) {
  const head = [code, name].filter(Boolean).join(' ');
  return [head, detail, advice].filter(Boolean).join(' · ');
}
