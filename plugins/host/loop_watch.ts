import type { BrokerView } from "../../core/plugin/mod.ts";
import type { Log } from "../../core/runtime/mod.ts";
import type { Scope } from "./scope.ts";

/** A delay of the event loop that clients notice. */
const LATE_MS = 250;
const LINE_EVERY_MS = 5_000;

/** Says when the event loop was held up, and by which plugin where that is known. */
export function watchLoop(view: BrokerView, log: Log, scopes: () => Iterable<Scope>): () => void {
  let lastMs = -Infinity;
  let unsaid = 0;
  return view.onLoopDelay((delayMs) => {
    if (delayMs < LATE_MS) return;
    const nowMs = performance.now();
    if (nowMs - lastMs < LINE_EVERY_MS) return void unsaid++;
    lastMs = nowMs;
    const plugin = culprit(scopes(), delayMs, nowMs)?.name;
    log.warn("the event loop was held up, and clients waited", {
      delayMs: Math.round(delayMs),
      ...(plugin === undefined ? {} : { plugin }),
      ...(unsaid === 0 ? {} : { suppressed: unsaid }),
    });
    unsaid = 0;
  });
}

/** A plugin that ran for the better part of the delay. */
function culprit(scopes: Iterable<Scope>, delayMs: number, nowMs: number): Scope | undefined {
  for (const scope of scopes) {
    const recent = nowMs - scope.longestEndMs < delayMs + LATE_MS;
    if (recent && scope.longestMs >= delayMs / 2) return scope;
  }
  return undefined;
}
