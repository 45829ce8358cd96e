/** kcat that writes numbers one after another, and kcat that reads them, for as long as a test. */
import { assertEquals } from "@std/assert";

/** Between two records. */
const PACE_MS = 5;

function kcat(...args: string[]): Deno.ChildProcess {
  const stdin = args.includes("-P") ? "piped" : "null";
  return new Deno.Command("kcat", { args, stdin, stdout: "piped", stderr: "null" }).spawn();
}

/** An idempotent producer: record n is `n <when it was written>`, to partition 0. */
export class KcatWriter implements AsyncDisposable {
  count = 0;
  readonly #child: Deno.ChildProcess;
  readonly #done: Promise<void>;
  #ended = false;

  constructor(bootstrap: string, topic: string) {
    const settings = ["enable.idempotence=true", "message.timeout.ms=120000", "linger.ms=1"];
    const options = settings.flatMap((setting) => ["-X", setting]);
    this.#child = kcat("-P", "-b", bootstrap, "-t", topic, "-p", "0", ...options);
    this.#done = this.#write();
  }

  async #write(): Promise<void> {
    const writer = this.#child.stdin.getWriter();
    while (!this.#ended) {
      const line = `${this.count} ${Math.round(performance.now())}\n`;
      await writer.write(new TextEncoder().encode(line));
      this.count++;
      await new Promise((resolve) => setTimeout(resolve, PACE_MS));
    }
    await writer.close();
  }

  /** Writes no more; how many records were acknowledged, which must be all. */
  async end(): Promise<number> {
    this.#ended = true;
    await this.#done;
    const { code } = await this.#child.output();
    assertEquals(code, 0, "kcat could not deliver all records");
    return this.count;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#ended) return;
    this.#ended = true;
    await this.#done.catch(() => {});
    this.#child.kill("SIGKILL");
    await this.#child.output();
  }
}

/** Reads partition 0 from its beginning, as a consumer in `rack`. */
export class KcatReader implements AsyncDisposable {
  /** Offset and number of each record. */
  readonly records: [offset: number, number: number][] = [];
  /** From writing to reading, in milliseconds, of each record. */
  readonly #lateMs: number[] = [];
  readonly #child: Deno.ChildProcess;
  readonly #reading: Promise<void>;

  constructor(bootstrap: string, topic: string, rack: string) {
    const where = ["-b", bootstrap, "-t", topic, "-p", "0", "-o", "beginning"];
    this.#child = kcat("-C", "-u", "-q", ...where, "-f", "%o %s\n", "-X", `client.rack=${rack}`);
    this.#reading = this.#read();
  }

  get count(): number {
    return this.records.length;
  }

  /** The worst of the newest `of`, or what a part of them, such as 0.5, did not exceed. */
  lateMs(of: number, part = 1): number {
    const newest = this.#lateMs.slice(-of).toSorted((a, b) => a - b);
    return newest[Math.ceil(newest.length * part) - 1] ?? NaN;
  }

  /** Every record once, in order, at the offset of its number. */
  assertWhole(count: number): void {
    assertEquals(this.records, Array.from({ length: count }, (_, at) => [at, at]));
  }

  async #read(): Promise<void> {
    let rest = "";
    const decoder = new TextDecoder();
    for await (const chunk of this.#child.stdout) {
      const lines = (rest + decoder.decode(chunk, { stream: true })).split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) {
        const [offset, number, writtenMs] = line.split(" ").map(Number) as [number, number, number];
        this.records.push([offset, number]);
        this.#lateMs.push(performance.now() - writtenMs);
      }
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.#reading;
    await this.#child.status;
  }
}
