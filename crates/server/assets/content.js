// Content in its forms: text, base64, hex, pretty JSON, compressed.

/** More than this is not unpacked, in bytes: a small message can hold a bomb. */
const INFLATED_BYTES_MAX = 4 * 1024 * 1024;
/** Bytes shown as hex. */
const HEX_BYTES_MAX = 16 * 1024;

/** What the protocol's names are called by the browser: `deflate` is RFC 1951, which the browser calls raw. */
const STREAM_NAMES = { deflate: 'deflate-raw' };

/**
 * @param {string} text base64, with or without white space
 * @returns {Uint8Array<ArrayBuffer>}
 * @throws {Error} for a person, when the text is not base64
 */
export function bytesOfBase64(text) {
  let binary;
  try {
    binary = atob(text.replace(/\s+/g, ''));
  } catch {
    throw new Error('The content is not base64.');
  }
  return Uint8Array.from(binary, (char) => char.charCodeAt(0));
}

/** @param {Uint8Array<ArrayBuffer>} bytes */
export function base64OfBytes(bytes) {
  let binary = '';
  for (const byte of bytes) binary += String.fromCharCode(byte);
  return btoa(binary);
}

/** @param {string} text */
export const bytesOfText = (text) => new TextEncoder().encode(text);

/**
 * @param {Uint8Array<ArrayBuffer>} bytes
 * @returns {string | undefined} undefined when the bytes are not UTF-8
 */
export function textOfBytes(bytes) {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return undefined;
  }
}

/**
 * Bytes of a message's content as it was published.
 * @param {{content: string, encoding?: string}} message
 */
export function bytesOf(message) {
  return message.encoding === 'base64' ? bytesOfBase64(message.content) : bytesOfText(message.content);
}

/**
 * Size of a message's content in bytes without decoding it; for text its characters, near enough for a row.
 * @param {{content: string, encoding?: string}} message
 */
export function sizeOf(message) {
  if (message.encoding !== 'base64') return message.content.length;
  return (message.content.length / 4) * 3 - (message.content.match(/=*$/)?.[0].length ?? 0);
}

/**
 * Lines of offset, bytes and characters.
 * @param {Uint8Array<ArrayBuffer>} bytes
 */
export function hexOfBytes(bytes) {
  const lines = [];
  const shown = bytes.subarray(0, HEX_BYTES_MAX);
  for (let at = 0; at < shown.length; at += 16) {
    const row = [...shown.subarray(at, at + 16)];
    const hex = row.map((byte) => byte.toString(16).padStart(2, '0')).join(' ');
    const text = row.map((byte) => (byte > 31 && byte < 127 ? String.fromCharCode(byte) : '·')).join('');
    lines.push(`${at.toString(16).padStart(6, '0')}  ${hex.padEnd(47)}  ${text}`);
  }
  if (bytes.length > shown.length) lines.push(`… ${bytes.length - shown.length} more bytes`);
  return lines.join('\n');
}

/**
 * @param {string} text
 * @returns {string | undefined} indented, or undefined when the text is not a JSON object or array
 */
export function prettyJson(text) {
  if (!/^\s*[[{]/.test(text)) return undefined;
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return undefined;
  }
}

/**
 * @param {Uint8Array<ArrayBuffer>} bytes
 * @param {string} algorithm the protocol's name
 */
export async function compress(bytes, algorithm) {
  const stream = new CompressionStream(STREAM_NAMES[algorithm] ?? algorithm);
  return readAll(new Blob([bytes]).stream().pipeThrough(stream), Infinity);
}

/**
 * @param {Uint8Array<ArrayBuffer>} bytes
 * @param {string} algorithm the protocol's name
 * @throws {Error} for a person, when this browser cannot or the bytes are not that
 */
export async function decompress(bytes, algorithm) {
  let stream;
  try {
    stream = new DecompressionStream(STREAM_NAMES[algorithm] ?? algorithm);
  } catch {
    throw new Error(`This browser cannot unpack ${algorithm}.`);
  }
  try {
    return await readAll(new Blob([bytes]).stream().pipeThrough(stream), INFLATED_BYTES_MAX);
  } catch (error) {
    throw error instanceof RangeError ? error : new Error(`The content is not valid ${algorithm}.`);
  }
}

/**
 * @param {ReadableStream<Uint8Array>} stream
 * @param {number} bytes_max
 */
async function readAll(stream, bytes_max) {
  const chunks = [];
  let length = 0;
  for (const reader = stream.getReader(); ;) {
    const { done, value } = await reader.read();
    if (done) break;
    chunks.push(value);
    length += value.length;
    if (length > bytes_max) {
      await reader.cancel();
      throw new RangeError(`The content unpacks to more than ${bytes_max} bytes.`);
    }
  }
  const all = new Uint8Array(length);
  let at = 0;
  for (const chunk of chunks) {
    all.set(chunk, at);
    at += chunk.length;
  }
  return all;
}
