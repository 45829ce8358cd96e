import type { Runtime, Timer } from "./runtime.ts";

const RETRY_FIRST_MS = 50;
const RETRY_MAX_MS = 5_000;

/**
 * Runs a piece of work again whenever it is poked, one run at a time: pokes that come while it runs
 * share the next run. A run that throws is reported and tried again after a growing pause.
 */
export class Repeater {
  #wanted = false;
  #running: Promise<void> | undefined;
  #timer: Timer | undefined;
  #pauseMs = RETRY_FIRST_MS;
  #stopped = false;

  constructor(
    readonly runtime: Pick<Runtime, "timers">,
    readonly run: () => Promise<void>,
    readonly onError: (error: unknown) => void,
    readonly pauseMaxMs = RETRY_MAX_MS,
  ) {}

  poke(): void {
    this.#wanted = true;
    if (this.#stopped || this.#running !== undefined || this.#timer !== undefined) return;
    this.#running = this.#go();
  }

  /** Pokes after `ms`, unless something pokes earlier. */
  pokeAfter(ms: number): void {
    if (this.#stopped || this.#timer !== undefined) return;
    this.#timer = this.runtime.timers.after(ms, () => {
      this.#timer = undefined;
      this.poke();
    });
  }

  /** No further runs; resolves when the one at hand is over. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#timer?.cancel();
    await this.#running;
  }

  async #go(): Promise<void> {
    while (this.#wanted && !this.#stopped) {
      this.#wanted = false;
      try {
        await this.run();
        this.#pauseMs = RETRY_FIRST_MS;
      } catch (error) {
        if (this.#stopped) break;
        this.onError(error);
        this.#running = undefined;
        this.pokeAfter(this.#pauseMs);
        this.#pauseMs = Math.min(this.#pauseMs * 2, this.pauseMaxMs);
        return;
      }
    }
    this.#running = undefined;
  }
}
