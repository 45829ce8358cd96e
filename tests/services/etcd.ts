/**
 * A real etcd in a temporary directory on free ports: one member or three, plain or with TLS.
 * Whether it can run here is asked with `haveTools("…", "etcd")`.
 */
import { type Certificates, makeCertificates } from "./certificates.ts";
import { freePort } from "./free_port.ts";

export interface EtcdOptions {
  readonly members?: 1 | 3;
  /** Clients need a certificate of the test's own authority. */
  readonly tls?: boolean;
}

const running = new Set<Etcd>();
globalThis.addEventListener("unload", () => {
  for (const etcd of running) etcd.killNow();
});

export class Etcd implements AsyncDisposable {
  readonly dir: string;
  readonly certificates: Certificates | undefined;
  readonly members: EtcdMember[];
  readonly #http: Deno.HttpClient | undefined;

  private constructor(dir: string, certificates: Certificates | undefined, members: number) {
    this.dir = dir;
    this.certificates = certificates;
    const scheme = certificates === undefined ? "http" : "https";
    const peers = Array.from({ length: members }, () => freePort());
    const cluster = peers.map((port, at) => `m${at}=http://127.0.0.1:${port}`).join(",");
    this.#http = certificates && Deno.createHttpClient({
      caCerts: [Deno.readTextFileSync(certificates.ca)],
      cert: Deno.readTextFileSync(certificates.clientCert),
      key: Deno.readTextFileSync(certificates.clientKey),
    });
    this.members = peers.map((peerPort, at) =>
      new EtcdMember(
        { name: `m${at}`, dir: `${dir}/m${at}`, scheme, peerPort, cluster, certificates },
        this.#http,
      )
    );
  }

  static async start(options: EtcdOptions = {}): Promise<Etcd> {
    const dir = await Deno.makeTempDir({ prefix: "kafscale-etcd-" });
    const certificates = options.tls ? await makeCertificates(dir) : undefined;
    const etcd = new Etcd(dir, certificates, options.members ?? 1);
    running.add(etcd);
    for (const member of etcd.members) member.launch();
    try {
      await Promise.all(etcd.members.map((member) => member.ready()));
    } catch (error) {
      await etcd.close();
      throw error;
    }
    return etcd;
  }

  get endpoints(): string[] {
    return this.members.map(({ endpoint }) => endpoint);
  }

  /** What KAFSCALE_ETCD_ENDPOINTS takes. */
  get list(): string {
    return this.endpoints.join(",");
  }

  /** One of etcd's JSON calls, on the first member that runs: `api("kv/range", {…})`. */
  async api(path: string, body: unknown, token?: string): Promise<Record<string, unknown>> {
    const member = this.members.find((each) => each.running);
    if (member === undefined) throw new Error("no member of etcd runs");
    return await member.api(path, body, token);
  }

  async revision(): Promise<number> {
    const { header } = await this.api("kv/range", { key: btoa("\0") });
    return Number((header as { revision: string }).revision);
  }

  /** Forgets the history up to now. */
  async compact(): Promise<void> {
    await this.api("kv/compaction", { revision: String(await this.revision()), physical: true });
  }

  async defragment(): Promise<void> {
    for (const member of this.members) await member.api("maintenance/defragment", {});
  }

  /** Kills what still runs and removes the directory. */
  async close(): Promise<void> {
    await Promise.all(this.members.map((member) => member.kill()));
    this.#http?.close();
    running.delete(this);
    await Deno.remove(this.dir, { recursive: true });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  /** For the end of the test process: no waiting. */
  killNow(): void {
    for (const member of this.members) member.signal("SIGKILL");
    try {
      Deno.removeSync(this.dir, { recursive: true });
    } catch {
      // a member may still write while it dies
    }
  }
}

interface MemberPlan {
  readonly name: string;
  readonly dir: string;
  readonly scheme: "http" | "https";
  readonly peerPort: number;
  /** All members by name. */
  readonly cluster: string;
  readonly certificates: Certificates | undefined;
}

const START_MS = 20_000;

export class EtcdMember {
  readonly endpoint: string;
  readonly #plan: MemberPlan;
  readonly #http: Deno.HttpClient | undefined;
  #child: Deno.ChildProcess | undefined;

  constructor(plan: MemberPlan, http: Deno.HttpClient | undefined) {
    this.#plan = plan;
    this.#http = http;
    this.endpoint = `${plan.scheme}://127.0.0.1:${freePort()}`;
  }

  get running(): boolean {
    return this.#child !== undefined;
  }

  launch(): void {
    const { name, dir, peerPort, cluster, certificates } = this.#plan;
    const peer = `http://127.0.0.1:${peerPort}`;
    const flags: Record<string, string> = {
      "name": name,
      "data-dir": `${dir}/data`,
      "listen-client-urls": this.endpoint,
      "advertise-client-urls": this.endpoint,
      "listen-peer-urls": peer,
      "initial-advertise-peer-urls": peer,
      "initial-cluster": cluster,
      // short, so that tests that lose a leader are
      "heartbeat-interval": "50",
      "election-timeout": "500",
      "logger": "zap",
      "log-level": "error",
      "log-outputs": `${dir}/log`,
    };
    if (certificates !== undefined) {
      flags["trusted-ca-file"] = certificates.ca;
      flags["cert-file"] = certificates.serverCert;
      flags["key-file"] = certificates.serverKey;
    }
    const args = Object.entries(flags).map(([flag, value]) => `--${flag}=${value}`);
    if (certificates !== undefined) args.push("--client-cert-auth");
    Deno.mkdirSync(dir, { recursive: true });
    this.#child = new Deno.Command("etcd", {
      args,
      stdin: "null",
      stdout: "null",
      stderr: "null",
    }).spawn();
  }

  /** Resolves when it answers with a quorum behind it. */
  async ready(): Promise<void> {
    const endMs = performance.now() + START_MS;
    for (;;) {
      try {
        const { health } = await this.#ask("GET", "health");
        if (health === "true") return;
      } catch {
        // not listening yet
      }
      if (performance.now() > endMs) {
        const log = await Deno.readTextFile(`${this.#plan.dir}/log`).catch(() => "(no log)");
        throw new Error(`etcd did not start within ${START_MS} ms\n${log.slice(-4_000)}`);
      }
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  async start(): Promise<void> {
    if (this.#child === undefined) this.launch();
    await this.ready();
  }

  /** SIGTERM; data stays. */
  async stop(): Promise<void> {
    await this.#end("SIGTERM");
  }

  /** kill -9; data stays. */
  async kill(): Promise<void> {
    await this.#end("SIGKILL");
  }

  /** It goes on existing and answers nothing. */
  pause(): void {
    this.signal("SIGSTOP");
  }

  resume(): void {
    this.signal("SIGCONT");
  }

  /** Copies the data of a member that is stopped, to put it back later with `putBack`. */
  async setAside(): Promise<string> {
    const copy = `${this.#plan.dir}/copy-${crypto.randomUUID().slice(0, 8)}`;
    await copyTree(`${this.#plan.dir}/data`, copy);
    return copy;
  }

  /** Replaces the data of a stopped member: it forgets what was written since. */
  async putBack(copy: string): Promise<void> {
    await Deno.remove(`${this.#plan.dir}/data`, { recursive: true });
    await copyTree(copy, `${this.#plan.dir}/data`);
  }

  signal(signal: Deno.Signal): void {
    try {
      this.#child?.kill(signal);
    } catch {
      // gone already
    }
  }

  api(path: string, body: unknown, token?: string): Promise<Record<string, unknown>> {
    return this.#ask("POST", `v3/${path}`, body, token);
  }

  async #ask(
    method: string,
    path: string,
    body?: unknown,
    token?: string,
  ): Promise<Record<string, unknown>> {
    const response = await fetch(`${this.endpoint}/${path}`, {
      method,
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      ...(token === undefined ? {} : { headers: { authorization: token } }),
      ...(this.#http === undefined ? {} : { client: this.#http }),
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`etcd answered ${path} with ${response.status}: ${text}`);
    return JSON.parse(text);
  }

  async #end(signal: Deno.Signal): Promise<void> {
    const child = this.#child;
    if (child === undefined) return;
    // one that is paused takes no SIGTERM
    this.resume();
    this.signal(signal);
    await child.status;
    this.#child = undefined;
  }
}

async function copyTree(from: string, to: string): Promise<void> {
  await Deno.mkdir(to, { recursive: true });
  for await (const { name, isDirectory } of Deno.readDir(from)) {
    if (isDirectory) await copyTree(`${from}/${name}`, `${to}/${name}`);
    else await Deno.copyFile(`${from}/${name}`, `${to}/${name}`);
  }
}
