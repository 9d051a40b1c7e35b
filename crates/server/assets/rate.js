// How fast a counter grows.

const WINDOW_MS = 2_000;

export class Rate {
  /** @type {{at_ms: number, count: number}[]} */
  #samples = [];

  /**
   * Takes the counter's value now; to be called a few times a second.
   * @param {number} count
   * @param {number} now_ms
   * @returns {number} growth per second over the last two seconds, rounded
   */
  of(count, now_ms) {
    // A counter that went back was begun anew.
    if (count < (this.#samples.at(-1)?.count ?? 0)) this.#samples = [];
    this.#samples.push({ at_ms: now_ms, count });
    while (this.#samples.length > 1 && this.#samples[1].at_ms <= now_ms - WINDOW_MS) this.#samples.shift();
    const oldest = this.#samples[0];
    return now_ms > oldest.at_ms ? Math.round(((count - oldest.count) * 1_000) / (now_ms - oldest.at_ms)) : 0;
  }
}
