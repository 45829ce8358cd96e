/**
 * A real MinIO for tests, on a free port and a temporary directory, that can be killed, paused and
 * restarted. The binary is the one on PATH or in Go's bin folder; where there is none but Go is, it
 * is installed (two minutes, once). Without either a suite skips, which CI refuses.
 */
import { send as request } from "./signed_request.ts";
import { freePort } from "./free_port.ts";

const MODULE = "github.com/minio/minio@latest";

/**
 * Whether `minio()` can start one: true, or false after saying loudly why not. Throws in CI, where
 * it must.
 */
export async function haveMinio(suite: string): Promise<boolean> {
  try {
    await minioBinary();
    return true;
  } catch (error) {
    const reason = `${suite}: SKIPPED: ${error instanceof Error ? error.message : error}`;
    if (Deno.env.get("CI") === "true") throw new Error(`${reason} (in CI it must run)`);
    console.warn(reason);
    return false;
  }
}

/**
 * A server for the tests of one file, started now and ended with the test process: what a test
 * starts it must end, and a server for each would take a second. Undefined, and a test that is
 * skipped, where there can be none.
 */
export async function minioForFile(
  suite: string,
  env: Readonly<Record<string, string>> = {},
): Promise<Minio | undefined> {
  if (await haveMinio(suite)) return await Minio.start(env);
  Deno.test({ name: `${suite} (needs MinIO)`, ignore: true, fn: () => {} });
  return undefined;
}

let binary: Promise<string> | undefined;

/** The path of a MinIO server, installed if need be. */
export function minioBinary(): Promise<string> {
  return binary ??= findBinary();
}

async function findBinary(): Promise<string> {
  const goBin = Deno.env.get("GOBIN") ??
    `${Deno.env.get("GOPATH")?.split(":")[0] ?? `${Deno.env.get("HOME")}/go`}/bin`;
  const path = (Deno.env.get("PATH") ?? "").split(":");
  const found = await firstFile([...path, goBin].map((dir) => `${dir}/minio`));
  if (found !== undefined) return found;
  if (await firstFile(path.map((dir) => `${dir}/go`)) === undefined) {
    throw new Error("neither minio nor go, which would install it, is on this machine");
  }
  console.warn(`installing MinIO: go install ${MODULE} (about two minutes, once)`);
  const { success, stderr } = await new Deno.Command("go", {
    args: ["install", MODULE],
    env: { GOTOOLCHAIN: "auto" },
    stdout: "null",
  }).output();
  const installed = await firstFile([`${goBin}/minio`]);
  if (success && installed !== undefined) return installed;
  throw new Error(`go install ${MODULE} failed: ${new TextDecoder().decode(stderr).slice(-500)}`);
}

async function firstFile(paths: readonly string[]): Promise<string | undefined> {
  for (const path of paths) {
    const info = await Deno.stat(path).catch(() => undefined);
    if (info?.isFile) return path;
  }
  return undefined;
}

const running = new Set<Minio>();
globalThis.addEventListener("unload", () => {
  for (const server of running) server.killNow();
});

export class Minio implements AsyncDisposable {
  readonly port: number;
  readonly accessKey = "kafscale-test";
  readonly secretKey = "kafscale-test-secret";
  /** Where it keeps buckets, one folder each. */
  readonly dir: string;
  #child: Deno.ChildProcess | undefined;
  #buckets = 0;

  private constructor(readonly env: Readonly<Record<string, string>>) {
    this.dir = Deno.makeTempDirSync({ prefix: "kafscale-minio-" });
    this.port = freePort();
  }

  /** Starts a server, with `MINIO_…` settings; resolves when it answers signed requests. */
  static async start(env: Readonly<Record<string, string>> = {}): Promise<Minio> {
    const server = new Minio(env);
    running.add(server);
    try {
      await server.restart();
    } catch (error) {
      await server.stop();
      throw error;
    }
    return server;
  }

  get endpoint(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  get pid(): number {
    if (this.#child === undefined) throw new Error("MinIO is not running");
    return this.#child.pid;
  }

  /** Makes a bucket that no other test uses, or the one named; returns its name. */
  async bucket(name = `test-${++this.#buckets}-${crypto.randomUUID().slice(0, 8)}`) {
    const response = await request(this, { method: "PUT", path: `/${name}` });
    const answer = await response.text();
    if (!response.ok) throw new Error(`MinIO made no bucket: ${response.status} ${answer}`);
    return name;
  }

  /** Settings of a broker that uses `bucket`. */
  settings(bucket: string): Record<string, string> {
    return {
      KAFSCALE_S3_BUCKET: bucket,
      KAFSCALE_S3_ENDPOINT: this.endpoint,
      KAFSCALE_S3_ACCESS_KEY: this.accessKey,
      KAFSCALE_S3_SECRET_KEY: this.secretKey,
    };
  }

  /** SIGSTOP: connections stay open, nothing is answered from when this resolves. */
  async pause(): Promise<void> {
    signal(this.#child, "SIGSTOP");
    // each thread stops when it gets to it
    do await new Promise((resolve) => setTimeout(resolve, 2)); while (someThreadRuns(this.pid));
  }

  /** SIGCONT. */
  resume(): void {
    signal(this.#child, "SIGCONT");
  }

  /** SIGKILL; the data stays for restart(). */
  async kill(): Promise<void> {
    const child = this.#child;
    this.#child = undefined;
    signal(child, "SIGKILL");
    await child?.status;
  }

  /** Starts it, after a kill if it runs, on the same port and directory. */
  async restart(): Promise<void> {
    await this.kill();
    // sh, for the log goes to a file: a pipe would need a reader that outlives single tests
    this.#child = new Deno.Command("/bin/sh", {
      args: ["-c", `exec "$0" "$@" >>"$LOG" 2>&1`, await minioBinary(), ...this.#arguments()],
      env: {
        LOG: this.#log,
        MINIO_ROOT_USER: this.accessKey,
        MINIO_ROOT_PASSWORD: this.secretKey,
        MINIO_BROWSER: "off",
        MINIO_UPDATE: "off",
        ...this.env,
      },
      stdin: "null",
      stdout: "null",
      stderr: "null",
    }).spawn();
    await this.#ready(this.#child);
  }

  /** Ends it and removes its data. */
  async stop(): Promise<void> {
    await this.kill();
    running.delete(this);
    await Deno.remove(this.dir, { recursive: true });
  }

  /** For the end of the test process: no waiting. */
  killNow(): void {
    signal(this.#child, "SIGKILL");
    try {
      Deno.removeSync(this.dir, { recursive: true });
    } catch {
      // the process may still write while it dies
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  get #log(): string {
    return `${this.dir}/minio.log`;
  }

  #arguments(): string[] {
    return ["server", "--quiet", "--address", `127.0.0.1:${this.port}`, `${this.dir}/data`];
  }

  /** Waits until it lists its buckets: its users are loaded after its health check says ready. */
  async #ready(child: Deno.ChildProcess): Promise<void> {
    let exited = false;
    child.status.then(() => exited = true);
    const deadline = performance.now() + 30_000;
    while (!exited && performance.now() < deadline) {
      const response = await request(this, { method: "GET", path: "/" }).catch(() => undefined);
      await response?.body?.cancel();
      if (response?.ok) return;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    const log = await Deno.readTextFile(this.#log).catch(() => "");
    const what = exited ? "ended" : "is not ready after 30 s";
    throw new Error(`MinIO ${what}: ${log.slice(-2000)}`);
  }
}

/** Whether a thread is not in state T, stopped. Only Linux tells. */
function someThreadRuns(pid: number): boolean {
  if (Deno.build.os !== "linux") return false;
  const tasks = `/proc/${pid}/task`;
  return [...Deno.readDirSync(tasks)].some(({ name }) => {
    try {
      const stat = Deno.readTextFileSync(`${tasks}/${name}/stat`);
      return stat[stat.lastIndexOf(")") + 2] !== "T";
    } catch {
      return false; // it ended meanwhile
    }
  });
}

function signal(child: Deno.ChildProcess | undefined, name: Deno.Signal): void {
  try {
    child?.kill(name);
  } catch {
    // gone already
  }
}
