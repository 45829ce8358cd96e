/** A real Prometheus for tests: scrapes every second, and answers PromQL. */
import { waitUntil } from "../clients/wait_until.ts";
import { freePort } from "./free_port.ts";

export interface Series {
  readonly metric: Readonly<Record<string, string>>;
  readonly value: number;
}

export interface Alert {
  readonly labels: Readonly<Record<string, string>>;
  readonly state: "pending" | "firing";
}

export interface Rule {
  readonly name: string;
  readonly query: string;
}

export interface PrometheusOptions {
  /** Port of the broker's metrics on this machine. */
  readonly target: number;
  /** Content of rule files. */
  readonly rules: readonly string[];
}

export class Prometheus implements AsyncDisposable {
  private constructor(
    readonly port: number,
    readonly dir: string,
    readonly child: Deno.ChildProcess,
    readonly output: Promise<Uint8Array>,
  ) {}

  static async start({ target, rules }: PrometheusOptions): Promise<Prometheus> {
    const dir = await Deno.makeTempDir({ prefix: "kafscale-prometheus-" });
    const port = freePort();
    for (const [at, text] of rules.entries()) {
      await Deno.writeTextFile(`${dir}/${at}.rules.yaml`, text);
    }
    const config = {
      global: { scrape_interval: "1s", scrape_timeout: "1s", evaluation_interval: "1s" },
      scrape_configs: [{
        job_name: "kafscale-brokers",
        static_configs: [{ targets: [`127.0.0.1:${target}`] }],
      }],
      rule_files: [`${dir}/*.rules.yaml`],
    };
    // JSON is YAML
    await Deno.writeTextFile(`${dir}/prometheus.yaml`, JSON.stringify(config));
    const child = new Deno.Command("prometheus", {
      args: [
        `--config.file=${dir}/prometheus.yaml`,
        `--storage.tsdb.path=${dir}/data`,
        `--web.listen-address=127.0.0.1:${port}`,
        "--log.level=warn",
      ],
      stdout: "null",
      stderr: "piped",
    }).spawn();
    const output = new Response(child.stderr).bytes();
    const prometheus = new Prometheus(port, dir, child, output);
    try {
      await waitUntil("Prometheus answers", () => prometheus.#ready());
    } catch (error) {
      const said = await prometheus.stop();
      throw new Error(`${error}\n${said}`);
    }
    return prometheus;
  }

  /** The instant vector of `expr`, now. */
  async query(expr: string): Promise<Series[]> {
    const { result } = await this.#ask<{
      result: { metric: Series["metric"]; value: [number, string] }[];
    }>(`query?query=${encodeURIComponent(expr)}`);
    return result.map(({ metric, value }) => ({ metric, value: Number(value[1]) }));
  }

  async rules(): Promise<Rule[]> {
    const { groups } = await this.#ask<{ groups: { rules: Rule[] }[] }>("rules");
    return groups.flatMap(({ rules }) => rules);
  }

  /** Those that fire, by name. */
  async firing(): Promise<Set<string>> {
    const { alerts } = await this.#ask<{ alerts: Alert[] }>("alerts");
    const firing = alerts.filter(({ state }) => state === "firing");
    return new Set(firing.map(({ labels }) => labels.alertname!));
  }

  /** What it said. */
  async stop(): Promise<string> {
    this.child.kill("SIGTERM");
    await this.child.status;
    const said = new TextDecoder().decode(await this.output);
    await Deno.remove(this.dir, { recursive: true });
    return said;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  async #ready(): Promise<true | undefined> {
    try {
      const response = await fetch(`http://127.0.0.1:${this.port}/-/ready`);
      await response.body?.cancel();
      return response.ok || undefined;
    } catch {
      return undefined;
    }
  }

  async #ask<T>(path: string): Promise<T> {
    const response = await fetch(`http://127.0.0.1:${this.port}/api/v1/${path}`);
    const { status, error, data } = await response.json();
    if (status !== "success") throw new Error(`${decodeURIComponent(path)}: ${error}`);
    return data;
  }
}
