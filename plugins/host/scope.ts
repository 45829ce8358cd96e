/**
 * Whose code is running: each plugin's calls, timers and promises carry its scope along, so that
 * what it forgets to catch is known to be its own.
 */
import { AsyncLocalStorage } from "node:async_hooks";

/** A synchronous stretch that is worth remembering when the event loop was held up. */
const LONG_MS = 20;

export class Scope {
  /** The longest stretch of late, and when it ended. */
  longestMs = 0;
  longestEndMs = -Infinity;

  /** `roots`: parts of the URLs of the plugin's own modules, and of no others. */
  constructor(
    readonly name: string,
    readonly roots: readonly string[],
    readonly onFault: (error: unknown) => void,
  ) {}

  /** Runs `call` as the plugin's. */
  enter<T>(call: () => T): T {
    const startedMs = performance.now();
    try {
      return current.run(this, call);
    } finally {
      const endMs = performance.now();
      const tookMs = endMs - startedMs;
      if (tookMs >= LONG_MS && (tookMs >= this.longestMs || endMs - this.longestEndMs > 1_000)) {
        this.longestMs = tookMs;
        this.longestEndMs = endMs;
      }
    }
  }

  /** Whether one of the plugin's modules is in the error's stack. */
  owns(stack: string): boolean {
    return this.roots.some((root) => stack.includes(root));
  }
}

const current = new AsyncLocalStorage<Scope | undefined>();

/** The plugin that is running; undefined while the broker itself is. */
export function currentScope(): Scope | undefined {
  return current.getStore();
}

/** Runs `call` as the broker's own: what it starts is not the plugin's. */
export function outsideOfScopes<T>(call: () => T): T {
  return current.run(undefined, call);
}
