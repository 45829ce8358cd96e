/**
 * A broker as a child process: ours as `deno task start` runs it (or a compiled binary), or, to
 * check that a suite is fair, Apache Kafka.
 *
 * Environment:
 * - KAFSCALE_TEST_BINARY   path of a compiled broker to run in place of `deno run main.ts`
 * - KAFSCALE_TEST_TARGET   "apache" starts Apache Kafka 4.1 in place of ours
 * - KAFSCALE_TEST_STORE    its object store, see test_store.ts
 */
import { apacheKafkaCommand } from "./java/apache_kafka.ts";
import { startTask } from "../services/start_task.ts";
import { withTestStore } from "./test_store.ts";
import { freePort } from "../services/free_port.ts";
import { metricsPortIn } from "../services/metrics_port.ts";

const REPO = new URL("../../", import.meta.url);

/** What a test may set; anything left out gets a value that suits one node on this machine. */
export interface BrokerOptions {
  /** Kept after stop() when given; else a temporary directory that stop() removes. */
  readonly dataDir?: string;
  /** 0 or absent: a port that is free at this moment. */
  readonly port?: number;
  /** Further KAFSCALE_* settings. Apache Kafka gets the nearest it has, see apache_kafka.ts. */
  readonly env?: Readonly<Record<string, string>>;
  /** How long the listening line may take. */
  readonly startTimeoutMs?: number;
}

/** Whether the suites run against Apache Kafka in a child process. */
export function targetIsApache(): boolean {
  return Deno.env.get("KAFSCALE_TEST_TARGET") === "apache";
}

const running = new Set<BrokerProcess>();
globalThis.addEventListener("unload", () => {
  for (const broker of running) broker.killNow();
});

export class BrokerProcess implements AsyncDisposable {
  readonly dataDir: string;
  readonly port: number;
  /** Milliseconds from spawn to the listening line, of the newest start. */
  startMs = 0;
  /** Every line the process wrote, over all its restarts. */
  readonly log: string[] = [];
  #child: Deno.ChildProcess | undefined;
  #readers: Promise<void>[] = [];
  #waiting: { wanted: RegExp; found: () => void }[] = [];
  readonly #ownsDir: boolean;
  #started = false;
  readonly #options: BrokerOptions;
  #exitCode: number | undefined;

  private constructor(options: BrokerOptions) {
    this.#options = options;
    this.#ownsDir = options.dataDir === undefined;
    this.dataDir = options.dataDir ?? Deno.makeTempDirSync({ prefix: "kafscale-test-" });
    this.port = options.port || freePort();
  }

  /** Starts a broker and waits until it listens. */
  static async start(options: BrokerOptions = {}): Promise<BrokerProcess> {
    const broker = new BrokerProcess(options);
    running.add(broker);
    await broker.#spawn();
    return broker;
  }

  get bootstrap(): string {
    return `127.0.0.1:${this.port}`;
  }

  get pid(): number {
    if (this.#child === undefined) throw new Error("the broker is not running");
    return this.#child.pid;
  }

  /** Of a process that has ended, by itself or not; undefined: it runs. */
  get exitCode(): number | undefined {
    return this.#exitCode;
  }

  /** SIGSTOP: it goes on existing and does nothing. */
  pause(): void {
    if (this.#child !== undefined) send(this.#child, "SIGSTOP");
  }

  /** SIGCONT. */
  resume(): void {
    if (this.#child !== undefined) send(this.#child, "SIGCONT");
  }

  /** SIGTERM; the exit code. The data directory stays unless it was a temporary one. */
  async stop(): Promise<number> {
    const code = await this.terminate();
    await this.#forget();
    return code;
  }

  /**
   * SIGTERM, data kept: restart() may follow. SIGKILL after 45 s, which then is an error: a broker
   * has 30 for its drain.
   */
  async terminate(): Promise<number> {
    const child = this.#child;
    if (child === undefined) return 0;
    send(child, "SIGTERM");
    let late = false;
    const timer = setTimeout(() => {
      late = true;
      send(child, "SIGKILL");
    }, 45_000);
    const { code } = await child.status;
    clearTimeout(timer);
    await this.#gone();
    if (late) throw new Error(`the broker ignored SIGTERM for 45 s\n${this.tail()}`);
    return code;
  }

  /** Waits until it ends by itself; the exit code. restart() may follow. */
  async ended(): Promise<number> {
    const child = this.#child;
    if (child === undefined) return 0;
    const { code } = await child.status;
    await this.#gone();
    return code;
  }

  /** kill -9, data kept. */
  async kill(): Promise<void> {
    const child = this.#child;
    if (child === undefined) return;
    send(child, "SIGKILL");
    await child.status;
    await this.#gone();
  }

  /** Starts again on the same directory and port. */
  async restart(): Promise<void> {
    if (this.#child !== undefined) await this.terminate();
    await this.#spawn();
  }

  /** For the end of the test process: no waiting. */
  killNow(): void {
    if (this.#child !== undefined) send(this.#child, "SIGKILL");
    if (!this.#ownsDir) return;
    try {
      Deno.removeSync(this.dataDir, { recursive: true });
    } catch {
      // the process may still write while it dies
    }
  }

  /** Where the newest start serves metrics and operations. */
  get metricsPort(): number {
    return metricsPortIn(this.log);
  }

  /** The newest lines, for a failure's message. */
  tail(lines = 40): string {
    return this.log.slice(-lines).join("\n");
  }

  /** Resident set in bytes. */
  async residentBytes(): Promise<number> {
    const status = await Deno.readTextFile(`/proc/${this.pid}/status`);
    return Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1] ?? "0") * 1024;
  }

  /** Processor time used so far, user and system, in milliseconds (ticks are 10 ms). */
  async cpuMs(): Promise<number> {
    const stat = await Deno.readTextFile(`/proc/${this.pid}/stat`);
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return (Number(fields[11]) + Number(fields[12])) * 10;
  }

  /** File descriptors open now. */
  async openFiles(): Promise<number> {
    let count = 0;
    for await (const _ of Deno.readDir(`/proc/${this.pid}/fd`)) count++;
    return count;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  async #spawn(): Promise<void> {
    const settings = this.#options.env ?? {};
    const [command, args, env] = targetIsApache()
      ? await apacheKafkaCommand(this.dataDir, this.port, settings)
      : ourCommand(withTestStore(settings, this.dataDir), this.port, this.dataDir);
    const started = performance.now();
    const child = new Deno.Command(command, {
      args,
      env: { ...cleanEnvironment(), ...env },
      clearEnv: true,
      cwd: REPO.pathname,
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    this.#child = child;
    this.#exitCode = undefined;
    void child.status.then(({ code }) => this.#exitCode = code);
    const wanted = targetIsApache() ? /Kafka Server started/ : /"msg":"broker listening on /;
    const listening = new Promise<void>((found) => this.#waiting.push({ wanted, found }));
    this.#readers = [this.#read(child.stdout), this.#read(child.stderr)];
    let timer: ReturnType<typeof setTimeout> | undefined;
    const outcome = await Promise.race([
      listening.then(() => "listening" as const),
      child.status.then((status) => `exit code ${status.code}`),
      new Promise<string>((resolve) => {
        timer = setTimeout(
          () => resolve("no listening line"),
          this.#options.startTimeoutMs ?? 30_000,
        );
      }),
    ]);
    clearTimeout(timer);
    if (outcome !== "listening") {
      await this.kill();
      if (!this.#started) await this.#forget();
      throw new Error(`the broker did not start: ${outcome}\n${this.tail()}`);
    }
    this.startMs = performance.now() - started;
    this.#started = true;
  }

  async #read(stream: ReadableStream<Uint8Array>): Promise<void> {
    let rest = "";
    const decoder = new TextDecoder();
    for await (const chunk of stream) {
      const lines = (rest + decoder.decode(chunk, { stream: true })).split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) this.#take(line);
    }
    if (rest !== "") this.#take(rest);
  }

  #take(line: string): void {
    this.log.push(line);
    this.#waiting = this.#waiting.filter(({ wanted, found }) => {
      if (!wanted.test(line)) return true;
      found();
      return false;
    });
  }

  async #forget(): Promise<void> {
    running.delete(this);
    if (this.#ownsDir) await Deno.remove(this.dataDir, { recursive: true }).catch(() => {});
  }

  async #gone(): Promise<void> {
    await Promise.all(this.#readers);
    this.#child = undefined;
  }
}

function send(child: Deno.ChildProcess, signal: Deno.Signal): void {
  try {
    child.kill(signal);
  } catch {
    // gone already
  }
}

/** The test process's environment without settings that would leak into the broker. */
function cleanEnvironment(): Record<string, string> {
  return Object.fromEntries(
    Object.entries(Deno.env.toObject()).filter(([name]) => !name.startsWith("KAFSCALE_")),
  );
}

/** What `deno task start` runs, with this deno, so that its permissions are tested too. */
function ourCommand(
  settings: Readonly<Record<string, string>>,
  port: number,
  dataDir: string,
): [string, string[], Record<string, string>] {
  const env = {
    KAFSCALE_BROKER_ADDR: `127.0.0.1:${port}`,
    KAFSCALE_BROKER_HOST: "127.0.0.1",
    KAFSCALE_BROKER_PORT: `${port}`,
    KAFSCALE_DATA_DIR: dataDir,
    // any free port: many brokers run at the same time
    KAFSCALE_METRICS_ADDR: "127.0.0.1:0",
    ...settings,
  };
  const binary = Deno.env.get("KAFSCALE_TEST_BINARY");
  if (binary !== undefined) return [binary, ["start"], env];
  const task = startTask();
  return [Deno.execPath(), [...task.args], { ...task.env, ...env }];
}
