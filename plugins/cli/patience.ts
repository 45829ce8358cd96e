/** How long a command that reads goes on over what passes by itself: restarts, hand-overs. */
import { answerIn, causesOf, noCoordinator, sentence } from "./client.ts";

const PAUSE_MS = 300;
/** Longer than a try takes, with the client's own retries: after that much it works again. */
const CALM_MS = 180_000;

/** Whether it may be gone at the next try: nothing in `error` says no, and something says yes. */
export function passes(error: unknown): boolean {
  const said = [...causesOf(error)].flatMap(({ canRetry, needsRejoin }) =>
    needsRejoin === true ? [true] : typeof canRetry === "boolean" ? [canRetry] : []
  );
  return said.length > 0 && said.every((each) => each);
}

export class Patience {
  #begun = false;
  #failingSinceMs: number | undefined;
  #lastFailureMs = -Infinity;

  constructor(
    /** Starts a line on standard error, such as "kafscale consume". */
    readonly command: string,
    readonly broker: string,
    readonly signal: AbortSignal,
    readonly forMs = 60_000,
  ) {}

  /** It has worked once; before, only a coordinator that isn't there yet is waited for. */
  begun(): void {
    this.#begun = true;
  }

  /** What was asked for came. */
  eased(): void {
    this.#begun = true;
    this.#failingSinceMs = undefined;
  }

  /** Resolves when it is time to try again; throws `error` where that is in vain. */
  async wait(error: unknown): Promise<void> {
    const nowMs = performance.now();
    if (nowMs - this.#lastFailureMs > CALM_MS) this.#failingSinceMs = undefined;
    const first = this.#failingSinceMs === undefined;
    this.#lastFailureMs = nowMs;
    this.#failingSinceMs ??= nowMs;
    const passing = passes(error) && (this.#begun || noCoordinator(answerIn(error)));
    if (this.signal.aborted || !passing || nowMs - this.#failingSinceMs > this.forMs) throw error;
    if (first) {
      const said = sentence(error, this.broker);
      console.error(
        `${this.command}: ${said instanceof Error ? said.message : said}; trying again`,
      );
    }
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
  }
}
