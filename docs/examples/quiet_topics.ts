/**
 * An example of a plugin: tells of topics that somebody writes to, and that have gone quiet.
 *
 *     KAFSCALE_PLUGINS=metrics,ops,./docs/examples/quiet_topics.ts
 *     KAFSCALE_PLUGIN_SETTINGS='{"quiet_topics": {"quietSeconds": 300}}'
 *
 * It warns in the broker's log once a topic has been quiet for that long, and answers
 * GET /quiet-topics with those that are.
 */
import { z } from "zod";
import type { BrokerView, Plugin } from "../../core/plugin/mod.ts";

const settings = z.strictObject({
  /** Without a record for this long, a topic counts as quiet. */
  quietSeconds: z.number().positive().default(300),
  /** Where to answer: the address of metrics and operations unless set. */
  address: z.string().optional(),
});

interface Seen {
  records: number;
  atMs: number;
  told: boolean;
}

export const plugin: Plugin<z.infer<typeof settings>> = {
  name: "quiet_topics",
  settings,
  start: async (broker, { quietSeconds, address }, host) => {
    const seen = new Map<string, Seen>();
    const look = () => {
      for (const name of newlyQuiet(broker, seen, quietSeconds * 1_000)) {
        host.log.warn("a topic has gone quiet", { topic: name, quietSeconds });
      }
    };
    look();
    const timer = setInterval(look, Math.min(1_000, quietSeconds * 250));
    const quiet = () => [...seen].filter(([, { told }]) => told).map(([name]) => name).sort();
    await host.serve(address ?? String(broker.config.metricsAddr), [{
      method: "GET",
      path: "/quiet-topics",
      handle: () => Response.json({ quietSeconds, topics: quiet() }),
    }]);
    // deno-lint-ignore require-await -- the contract allows plugins that must wait
    return { stop: async () => clearInterval(timer) };
  },
};

/** Topics that have been quiet for `quietMs` since this call, and were not before it. */
function newlyQuiet(broker: BrokerView, seen: Map<string, Seen>, quietMs: number): string[] {
  const nowMs = performance.now();
  const quiet: string[] = [];
  const gone = new Set(seen.keys());
  for (const { name, traffic } of broker.figures.topics()) {
    gone.delete(name);
    const records = traffic.producedRecords;
    const last = seen.get(name);
    if (last === undefined || last.records !== records) {
      // a topic that was never written to is not quiet, but unused
      if (records > 0) seen.set(name, { records, atMs: nowMs, told: false });
    } else if (!last.told && nowMs - last.atMs >= quietMs) {
      last.told = true;
      quiet.push(name);
    }
  }
  for (const name of gone) seen.delete(name);
  return quiet;
}
