/** One client connection: whole frames out, whole frames in, in order. */
import { Reader } from "../../core/bytes/mod.ts";
import {
  createTopicRequest,
  listOffsets,
  readCreateTopic,
  readListOffsets,
  type TopicConfigs,
} from "./wire.ts";

export class ClientConnection {
  readonly #conn: Deno.TcpConn;
  #buffer = new Uint8Array(256 * 1024);
  #start = 0;
  #end = 0;
  readonly #reader = new Reader(this.#buffer);

  private constructor(conn: Deno.TcpConn) {
    this.#conn = conn;
    conn.setNoDelay(true);
  }

  static async open(hostname: string, port: number): Promise<ClientConnection> {
    return new ClientConnection(await Deno.connect({ hostname, port }));
  }

  async send(frame: Uint8Array): Promise<void> {
    let at = 0;
    while (at < frame.length) at += await this.#conn.write(frame.subarray(at));
  }

  /** The next response from its correlation id on; valid until the next call. */
  async receive(): Promise<Reader> {
    await this.#have(4);
    const view = new DataView(this.#buffer.buffer, this.#start, 4);
    const length = view.getInt32(0);
    await this.#have(4 + length);
    const start = this.#start + 4;
    this.#start += 4 + length;
    this.#reader.reset(this.#buffer, start, start + length);
    return this.#reader;
  }

  /** One request, one answer. */
  async call(frame: Uint8Array): Promise<Reader> {
    await this.send(frame);
    return await this.receive();
  }

  close(): void {
    this.#conn.close();
  }

  async #have(length: number): Promise<void> {
    while (this.#end - this.#start < length) {
      if (this.#start + length > this.#buffer.length || this.#end === this.#buffer.length) {
        this.#compact(length);
      }
      const read = await this.#conn.read(this.#buffer.subarray(this.#end));
      if (read === null) throw new Error("the broker closed the connection");
      this.#end += read;
    }
  }

  #compact(length: number): void {
    const pending = this.#buffer.subarray(this.#start, this.#end);
    if (length > this.#buffer.length) {
      const grown = new Uint8Array(2 ** Math.ceil(Math.log2(length)));
      grown.set(pending);
      this.#buffer = grown;
    } else {
      this.#buffer.copyWithin(0, this.#start, this.#end);
    }
    this.#end = pending.length;
    this.#start = 0;
  }
}

/** Creates the topic unless it is there, and waits until every partition has its leader. */
export async function createTopic(
  port: number,
  topic: string,
  partitions: number,
  configs: TopicConfigs = {},
): Promise<void> {
  const connection = await ClientConnection.open("127.0.0.1", port);
  try {
    const request = createTopicRequest(topic, partitions, configs);
    const error = readCreateTopic(await connection.call(request));
    const exists = 36;
    if (error !== 0 && error !== exists) throw new Error(`CreateTopics answered error ${error}`);
    const question = listOffsets(topic, partitions, -1);
    for (let tries = 100;; tries--) {
      try {
        readListOffsets(await connection.call(question));
        return;
      } catch (failure) {
        if (tries === 0) throw failure;
        await new Promise((resolve) => setTimeout(resolve, 100));
      }
    }
  } finally {
    connection.close();
  }
}
