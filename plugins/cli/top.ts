/** `top`: a live view of a cluster. */
import { Admin } from "@platformatic/kafka";
import { parseListenAddress } from "../../core/config/mod.ts";
import { bootstrap, BOOTSTRAP_FLAG, clientOptions, interruption, withClient } from "./client.ts";
import { CliError, type Command, EXIT, type Invocation } from "./command.ts";
import { LiveScreen } from "./terminal/live_screen.ts";
import { printable } from "./terminal/table.ts";
import { viewLines } from "./top/lines.ts";
import { type MetricsAt, type Sample, takeSample } from "./top/sample.ts";
import { viewOf } from "./top/view.ts";

/** Lines of a view that is printed, not shown. */
const PRINTED_LINES = 60;
const METRICS_PORT = 9093;

export const command: Command = {
  usage: "top [flags]",
  summary: "A live view of rates, lag, the store's health, commit latency and cost.",
  details: [
    "Topics and groups are asked over Kafka's protocol, of any broker that speaks it; what only " +
    "the broker knows comes from its metrics, and is shown as - where there are none. q or " +
    "Ctrl-C ends it. Where standard output is no terminal it prints one view, or --count of them.",
  ],
  flags: [
    BOOTSTRAP_FLAG,
    {
      name: "metrics",
      kind: "list",
      value: "URL",
      doc: "Where metrics are; may be repeated. Default: /metrics at each broker's host, at the " +
        "port of KAFSCALE_METRICS_ADDR, 9093.",
    },
    { name: "interval", kind: "text", value: "SECONDS", doc: "Between two looks. Default: 2." },
    { name: "count", short: "n", kind: "text", value: "N", doc: "End after so many views." },
    { name: "json", kind: "switch", doc: "Print a JSON object a view." },
  ],
  takesSettings: false,
  examples: [
    "kafscale top",
    "kafscale top -b broker-1:9092 --metrics http://broker-1:9093/metrics",
    "kafscale top --json --count 1",
  ],
  async run(invocation) {
    const { args } = invocation;
    args.atMost(0);
    const intervalMs = (args.whole("interval", 1) ?? 2) * 1000;
    const live = Deno.stdout.isTerminal() && !args.on("json");
    const views = args.whole("count", 1) ?? (live || args.on("json") ? Infinity : 1);
    const interrupted = interruption();
    const screen = live ? new LiveScreen() : undefined;
    // the names of topics that come while it runs must be known soon
    const admin = new Admin({ ...clientOptions(invocation), metadataMaxAge: intervalMs });
    try {
      await withClient(admin, invocation, async () => {
        const at = metricsAt(invocation);
        const ended = ending(interrupted.signal, screen);
        let before = await takeSample(admin, at);
        screen?.show(["one moment…"]);
        for (let shown = 0; shown < views && !ended.aborted;) {
          await pause(intervalMs, ended);
          if (ended.aborted) break;
          const after = await takeSample(admin, at).catch((error) => failed(error, screen));
          if (after === undefined) continue;
          present(invocation, before, after, intervalMs, screen);
          before = after;
          shown++;
        }
      });
    } finally {
      screen?.close();
      interrupted.stop();
    }
    return EXIT.ok;
  },
};

function metricsAt({ args, env }: Invocation): MetricsAt {
  const urls = args.list("metrics");
  if (urls.length > 0) return { urls };
  return { port: parseListenAddress(env.KAFSCALE_METRICS_ADDR ?? "")?.port || METRICS_PORT };
}

/** A live view outlives a broker that is away for a moment; everything else ends. */
function failed(error: unknown, screen: LiveScreen | undefined): undefined {
  if (screen === undefined) throw error;
  const why = error instanceof CliError || error instanceof Error ? error.message : String(error);
  screen.show([`no answer, trying again: ${printable(why)}`]);
}

/** Aborts at Ctrl-C, SIGTERM, or q. */
function ending(interrupted: AbortSignal, screen: LiveScreen | undefined): AbortSignal {
  return screen === undefined ? interrupted : AbortSignal.any([interrupted, screen.quit]);
}

/** Ends early when `ended` aborts. */
async function pause(ms: number, ended: AbortSignal): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const done = () => resolve();
  const timer = setTimeout(done, ms);
  ended.addEventListener("abort", done);
  await promise;
  clearTimeout(timer);
  ended.removeEventListener("abort", done);
}

function present(
  invocation: Invocation,
  before: Sample,
  after: Sample,
  intervalMs: number,
  screen: LiveScreen | undefined,
): void {
  const view = viewOf(before, after);
  if (invocation.args.on("json")) {
    console.log(JSON.stringify(view));
    return;
  }
  const brokers = `${after.brokers} ${after.brokers === 1 ? "broker" : "brokers"}`;
  const metrics = after.metrics === undefined ? "no metrics" : "with metrics";
  const title = `${bootstrap(invocation)}  ${brokers}, ${metrics}  ` +
    `${new Date().toISOString().slice(11, 19)} UTC, every ${intervalMs / 1000} s`;
  const styled = screen !== undefined;
  const height = screen?.height ?? PRINTED_LINES;
  const lines = viewLines(view, { title, height, styled });
  if (screen !== undefined) screen.show(lines);
  else for (const line of lines) console.log(line);
}
