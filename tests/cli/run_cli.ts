/** Runs the real command line in a process of its own: from source, or KAFSCALE_TEST_BINARY. */

const ROOT = new URL("../../", import.meta.url);

export interface Outcome {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface CliOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly stdin?: string;
}

/** The settings of whoever runs the tests must not reach the process. */
export function cleanEnv(extra: Readonly<Record<string, string>> = {}): Record<string, string> {
  const env = Object.entries(Deno.env.toObject()).filter(([name]) => !name.startsWith("KAFSCALE_"));
  // any free port: brokers of other tests run at the same time
  const own = { NO_COLOR: "1", KAFSCALE_METRICS_ADDR: "127.0.0.1:0" };
  return { ...Object.fromEntries(env), ...own, ...extra };
}

const BINARY = Deno.env.get("KAFSCALE_TEST_BINARY");

const FROM_SOURCE: readonly string[] = [
  "run",
  "--quiet",
  "--no-prompt",
  "--no-check",
  ...["net", "read", "write", "env", "sys"].map((each) => `--allow-${each}`),
  "main.ts",
];

/** The program and its first arguments. */
export const KAFSCALE: readonly [string, ...string[]] = BINARY === undefined
  ? [Deno.execPath(), ...FROM_SOURCE]
  : [BINARY];

export function spawnCli(args: readonly string[], options: CliOptions = {}): Deno.ChildProcess {
  const [program, ...first] = KAFSCALE;
  return new Deno.Command(program, {
    args: [...first, ...args],
    cwd: ROOT,
    clearEnv: true,
    env: cleanEnv(options.env),
    stdin: options.stdin === undefined ? "null" : "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
}

export async function cli(args: readonly string[], options: CliOptions = {}): Promise<Outcome> {
  const child = spawnCli(args, options);
  if (options.stdin !== undefined) {
    const writer = child.stdin.getWriter();
    await writer.write(new TextEncoder().encode(options.stdin));
    await writer.close();
  }
  const { code, stdout, stderr } = await child.output();
  const decoder = new TextDecoder();
  return { code, stdout: decoder.decode(stdout), stderr: decoder.decode(stderr) };
}

/** All that a command writes to a terminal, its two streams together. */
export async function cliOnTerminal(args: readonly string[]): Promise<string> {
  const words = [...KAFSCALE, ...args].map((each) => `'${each}'`).join(" ");
  const { code, stdout } = await new Deno.Command("script", {
    args: ["-qefc", `stty rows 24 cols 100; exec ${words}`, "/dev/null"],
    cwd: ROOT,
    clearEnv: true,
    env: cleanEnv(),
    stdin: "null",
  }).output();
  const text = new TextDecoder().decode(stdout);
  if (code !== 0) throw new Error(`${args.join(" ")}: exit code ${code}\n${text}`);
  return text;
}

/** A started broker; `stop` ends it by a signal and tells how it ended. */
export interface CliBroker {
  readonly bootstrap: string;
  readonly port: number;
  /** Parsed log lines so far. */
  readonly log: readonly Record<string, unknown>[];
  stop(signal?: Deno.Signal): Promise<number>;
}

/** Starts a broker on a free port and waits until it listens. */
export async function startBroker(
  dataDir: string,
  args: readonly string[] = [],
  env: Readonly<Record<string, string>> = {},
): Promise<CliBroker> {
  const child = spawnCli([
    "start",
    ...["--broker-addr", "127.0.0.1:0", "--data-dir", dataDir, "--log-format", "json"],
    ...args,
  ], { env });
  const log: Record<string, unknown>[] = [];
  const listening = Promise.withResolvers<number>();
  const lines = (async () => {
    let rest = "";
    for await (const chunk of child.stderr.pipeThrough(new TextDecoderStream())) {
      const whole = (rest + chunk).split("\n");
      rest = whole.pop()!;
      for (const line of whole) {
        // a start that fails ends with a plain sentence
        if (!line.startsWith("{")) {
          log.push({ sentence: line });
          continue;
        }
        const entry = JSON.parse(line) as Record<string, unknown>;
        log.push(entry);
        const match = /^broker listening on \S+:(\d+)$/.exec(String(entry.msg));
        if (match !== null) listening.resolve(Number(match[1]));
      }
    }
  })();
  const output = child.stdout.cancel();
  const ended = (async () => {
    const { code } = await child.status;
    await Promise.all([lines, output]);
    return code;
  })();
  void ended.then((code) => {
    listening.reject(new Error(`the broker ended with ${code}: ${JSON.stringify(log)}`));
  });
  const port = await listening.promise;
  return {
    bootstrap: `127.0.0.1:${port}`,
    port,
    log,
    stop: async (signal = "SIGTERM") => {
      child.kill(signal);
      return await ended;
    },
  };
}

/** Calls `use` with a directory that is gone afterwards. */
export async function withDirectory(use: (path: string) => Promise<void>): Promise<void> {
  const path = await Deno.makeTempDir({ prefix: "kafscale-cli-" });
  try {
    await use(path);
  } finally {
    await Deno.remove(path, { recursive: true });
  }
}
