// Copying text, also on pages served over plain HTTP, where the clipboard API does not exist.

/**
 * Copies a text and says so on the button for a moment.
 * @param {string} text
 * @param {HTMLButtonElement} button
 */
export async function copyFrom(text, button) {
  const label = (button.dataset.label ??= button.textContent ?? '');
  button.textContent = (await copy(text)) ? 'Copied' : 'Not copied';
  setTimeout(() => (button.textContent = label), 1500);
}

/**
 * @param {string} text
 * @returns {Promise<boolean>} whether the text is on the clipboard
 */
export async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return copyBySelection(text);
  }
}

/** @param {string} text */
function copyBySelection(text) {
  const focused = document.activeElement;
  const area = document.createElement('textarea');
  area.className = 'unseen';
  area.value = text;
  document.body.append(area);
  area.select();
  const done = document.execCommand('copy');
  area.remove();
  if (focused instanceof HTMLElement) focused.focus({ preventScroll: true });
  return done;
}
