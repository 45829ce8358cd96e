/** A broker in this process with its plugins, as main.ts puts them together, and HTTP to them. */
import type { Config } from "../../core/config/mod.ts";
import type { MemoryFaults } from "../../drivers/storage/memory/driver.ts";
import type { PluginHost } from "../../plugins/host/mod.ts";
import { openPlugins } from "../../plugins/mod.ts";
import { BrokerScene } from "../plugin/scene.ts";

export interface Got {
  readonly status: number;
  readonly text: string;
  readonly headers: Headers;
}

export class HostedBroker implements AsyncDisposable {
  private constructor(readonly scene: BrokerScene, readonly plugins: PluginHost) {}

  static async open(config: Partial<Config> = {}, faults?: MemoryFaults): Promise<HostedBroker> {
    const scene = await BrokerScene.open(config, faults);
    const plugins = await openPlugins({ config: scene.config, runtime: scene.runtime });
    await plugins.start(scene.view);
    return new HostedBroker(scene, plugins);
  }

  /** Where metrics and operations are served. */
  get port(): number {
    return listeningPort(this.scene.log.lines.map(({ message }) => message));
  }

  async get(path: string, init?: RequestInit): Promise<Got> {
    const response = await fetch(`http://127.0.0.1:${this.port}${path}`, init);
    const text = await response.text();
    return { status: response.status, text, headers: response.headers };
  }

  /** Samples of /metrics by `name{labels}`. */
  async metrics(): Promise<Map<string, number>> {
    const { status, text } = await this.get("/metrics");
    if (status !== 200) throw new Error(`/metrics answered ${status}: ${text}`);
    return samplesOf(text);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.scene.stop();
    await this.plugins.stop();
  }
}

/** The port of the newest line that says where HTTP is served. */
export function listeningPort(messages: readonly string[]): number {
  for (const message of messages.toReversed()) {
    const match = /^http listening on \S+:(\d+)$/.exec(message);
    if (match !== null) return Number(match[1]);
  }
  throw new Error("nothing serves HTTP");
}

export function samplesOf(text: string): Map<string, number> {
  const samples = new Map<string, number>();
  for (const line of text.split("\n")) {
    if (line === "" || line.startsWith("#")) continue;
    const space = line.lastIndexOf(" ");
    samples.set(line.slice(0, space), Number(line.slice(space + 1)));
  }
  return samples;
}
