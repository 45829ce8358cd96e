/** `drain`: a broker gives its leadership to the others, so that it can be stopped unnoticed. */
import { parseListenAddress } from "../../core/config/mod.ts";
import { CliError, type Command, EXIT, type Invocation } from "./command.ts";

const METRICS_PORT = 9093;
const SECONDS_MAX = 570;
/** The broker answers when its own time is up; this is for one that doesn't. */
const ANSWER_MS = 10_000;

export const command: Command = {
  usage: "drain [URL] [flags]",
  summary: "Let a broker give its leadership to the others, before it is stopped.",
  details: [
    "Partitions and groups move to the other brokers, and clients follow them; the broker serves " +
    "on and takes nothing new until it is restarted. URL is where its operations API is " +
    `(KAFSCALE_METRICS_ADDR), http://127.0.0.1:${METRICS_PORT} unless given; the token is that of ` +
    "KAFSCALE_OPS_TOKEN. SIGTERM drains, too, and then ends the broker.",
  ],
  flags: [
    { name: "token", kind: "text", value: "TOKEN", doc: "Default: KAFSCALE_OPS_TOKEN." },
    {
      name: "timeout",
      kind: "text",
      value: "SECONDS",
      doc: "How long to wait for it. Default: the broker's KAFSCALE_DRAIN_TIMEOUT_MS.",
    },
    { name: "json", kind: "switch", doc: "Print JSON." },
  ],
  takesSettings: false,
  examples: ["kafscale drain", "kafscale drain http://broker-2:9093 --timeout 60"],
  async run(invocation) {
    const { args, env } = invocation;
    args.atMost(1);
    const seconds = args.whole("timeout", 1);
    if (seconds !== undefined && seconds > SECONDS_MAX) {
      throw new CliError(`--timeout must be ${SECONDS_MAX} or less`, EXIT.usage);
    }
    const token = args.text("token") ?? env.KAFSCALE_OPS_TOKEN;
    if (token === undefined) {
      throw new CliError("draining changes something: give the broker's token with --token");
    }
    const base = baseUrl(invocation);
    const url = new URL("/api/v1/drain", base);
    if (seconds !== undefined) url.searchParams.set("timeoutSeconds", String(seconds));
    const { status, body } = await post(url, token, (seconds ?? SECONDS_MAX) * 1_000 + ANSWER_MS);
    if (status !== 200) {
      throw new CliError(`${base} answered: ${body.error ?? `status ${status}`}`);
    }
    const took = Math.round(Number(body.tookMs)) / 1_000;
    console.log(
      args.on("json")
        ? JSON.stringify(body)
        : `drained: ${body.moved} partitions and coordinator shards moved in ${took} s; the ` +
          "broker can be stopped",
    );
    return EXIT.ok;
  },
};

function baseUrl({ args, env }: Invocation): string {
  const [given] = args.positionals;
  if (given === undefined) {
    const port = parseListenAddress(env.KAFSCALE_METRICS_ADDR ?? "")?.port || METRICS_PORT;
    return `http://127.0.0.1:${port}`;
  }
  const url = given.includes("://") ? given : `http://${given}`;
  if (URL.canParse(url)) return new URL(url).origin;
  throw new CliError(`${given} is no URL; it should be like http://broker-2:9093`, EXIT.usage);
}

async function post(
  url: URL,
  token: string,
  timeoutMs: number,
): Promise<{ status: number; body: Record<string, unknown> }> {
  try {
    const response = await fetch(url, {
      method: "POST",
      headers: { authorization: `Bearer ${token}` },
      signal: AbortSignal.timeout(timeoutMs),
    });
    const body = await response.json().catch(() => ({}));
    return { status: response.status, body };
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new CliError(
      `no operations API answers at ${url.origin} (${why}); name where the broker's ` +
        "KAFSCALE_METRICS_ADDR is",
    );
  }
}
