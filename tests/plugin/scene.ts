/** A broker in this process, on memory, with a raw client: for tests of views and plugins. */
import { type Broker, createBroker } from "../../core/broker.ts";
import { type Config, defaultConfig } from "../../core/config/mod.ts";
import type { BrokerView } from "../../core/plugin/mod.ts";
import type { Log, LogFields, Runtime } from "../../core/runtime/mod.ts";
import { systemRuntime } from "../../core/runtime/system.ts";
import { MemoryMetadata } from "../../drivers/metadata/memory/driver.ts";
import {
  type MemoryFaults,
  MemoryObjects,
  memoryStore,
} from "../../drivers/storage/memory/driver.ts";
import { RawWriter } from "../clients/wire/bytes.ts";
import { batch, createTopic, produce } from "../clients/wire/produce.ts";
import { RawConnection } from "../clients/wire/raw_connection.ts";
import { fetchBody, type Fetched, readFetch } from "../clients/wire/stored_batches.ts";

export interface Line {
  readonly level: string;
  readonly message: string;
  readonly fields: LogFields | undefined;
}

/** Keeps lines instead of writing them. */
export function keptLog(): Log & { readonly lines: Line[] } {
  const lines: Line[] = [];
  const note = (level: string) => (message: string, fields?: LogFields) =>
    void lines.push({ level, message, fields });
  return {
    lines,
    debug: note("debug"),
    info: note("info"),
    warn: note("warn"),
    error: note("error"),
  };
}

const encoder = new TextEncoder();

export class BrokerScene implements AsyncDisposable {
  readonly config: Config;
  readonly log = keptLog();
  readonly runtime: Runtime = systemRuntime(this.log);
  readonly objects = new MemoryObjects();
  readonly #metadata: MemoryMetadata;
  readonly fatal: unknown[] = [];
  broker!: Broker;
  client!: RawConnection;

  /** Undefined: every call of the store is settled when it returns. */
  private constructor(config: Partial<Config>, readonly faults: MemoryFaults | undefined) {
    this.config = defaultConfig({
      brokerAddr: "127.0.0.1:0",
      storage: "memory",
      metadata: "memory",
      metricsAddr: "127.0.0.1:0",
      drainTimeoutMs: 2_000,
      ...config,
    });
    this.#metadata = new MemoryMetadata(this.runtime);
  }

  static async open(config: Partial<Config> = {}, faults?: MemoryFaults): Promise<BrokerScene> {
    const scene = new BrokerScene(config, faults);
    await scene.start();
    return scene;
  }

  get view(): BrokerView {
    return this.broker.view();
  }

  /** Again, after `stop`, on the same data. */
  async start(): Promise<void> {
    this.broker = await createBroker({
      config: this.config,
      runtime: this.runtime,
      store: memoryStore(this.objects, this.runtime, this.faults),
      metadata: this.#metadata.connect(),
      version: "0.0.0-test",
      onFatal: (error) => this.fatal.push(error),
    });
    this.client = await RawConnection.open(`127.0.0.1:${this.broker.port}`);
  }

  async stop(): Promise<void> {
    this.client.close();
    await this.broker.stop();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  async topic(name: string, partitions = 1): Promise<void> {
    const code = await createTopic(this.client, name, partitions);
    if (code !== 0) throw new Error(`topic was refused with code ${code}`);
  }

  /** One batch; the base offset. */
  async produce(topic: string, partition: number, values: readonly string[]): Promise<number> {
    const bytes = batch(values.map((value) => encoder.encode(value)));
    const { errorCode, baseOffset } = await produce(this.client, topic, partition, bytes);
    if (errorCode !== 0) throw new Error(`produce was refused with code ${errorCode}`);
    return baseOffset;
  }

  async fetch(topic: string, partition: number, offset: number): Promise<Fetched> {
    return readFetch(await this.client.request(1, 4, fetchBody(topic, partition, offset)));
  }

  /** Commits an offset as a consumer without membership does; the error code. */
  async commitOffset(
    group: string,
    topic: string,
    partition: number,
    offset: number,
  ): Promise<number> {
    const body = new RawWriter().string(group).int32(-1).string("").int64(-1n)
      .int32(1).string(topic).int32(1).int32(partition).int64(BigInt(offset)).string("");
    const answer = await this.client.request(8, 2, body);
    answer.int32();
    answer.string();
    answer.int32();
    answer.int32();
    return answer.int16();
  }
}
