// The few words of DOM that the console's views share.

/**
 * The element of that id, which the page is known to have.
 * @param {string} id
 * @returns {any}
 */
export function element(id) {
  const found = document.getElementById(id);
  if (!found) throw new Error(`the page has no #${id}`);
  return found;
}

/**
 * A new element with properties, attributes (names with a dash) and children.
 * @param {string} tag
 * @param {Record<string, unknown>} [properties]
 * @param {...(Node | string)} children
 * @returns {any}
 */
export function make(tag, properties = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name.includes('-')) made.setAttribute(name, String(value));
    else made[name] = value;
  }
  made.append(...children);
  return made;
}

/** Writes a text only when it differs, so that nothing is laid out or announced again for nothing. */
export function setText(/** @type {Element} */ target, /** @type {string} */ text) {
  if (target.textContent !== text) target.textContent = text;
}

/**
 * Calls `act` at most once per frame, however often the result is called.
 * @param {() => void} act
 */
export function oncePerFrame(act) {
  let asked = false;
  return () => {
    if (asked) return;
    asked = true;
    requestAnimationFrame(() => {
      asked = false;
      act();
    });
  };
}

/**
 * The number in a field; undefined when it is empty.
 * @param {HTMLInputElement} input
 */
export function numberIn(input) {
  return input.value.trim() === '' ? undefined : Number(input.value);
}
