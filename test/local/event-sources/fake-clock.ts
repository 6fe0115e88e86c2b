/** A clock that moves only when a test moves it. */
export class FakeClock {
  #nowMs = 1_000_000;
  #waits: { readonly endsAtMs: number; readonly end: () => void }[] = [];

  readonly now = (): number => this.#nowMs;

  readonly wait = (ms: number, signal: AbortSignal): Promise<void> =>
    new Promise((end) => {
      signal.addEventListener('abort', () => end(), { once: true });
      this.#waits.push({ endsAtMs: this.#nowMs + ms, end });
    });

  advance(ms: number): void {
    this.#nowMs += ms;
    for (const { endsAtMs, end } of this.#waits) if (endsAtMs <= this.#nowMs) end();
    this.#waits = this.#waits.filter(({ endsAtMs }) => endsAtMs > this.#nowMs);
  }
}
