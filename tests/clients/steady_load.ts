/** Idempotent Java producers that go on through every outage, and reading back what they wrote. */
import { assert, assertEquals } from "@std/assert";
import { javaAgent } from "./agents.ts";
import { javaClient } from "./install.ts";
import { GroupCheck } from "./group_check.ts";
import { text, type WireRecord } from "./records.ts";
import { waitUntil } from "./wait_until.ts";

export interface LoadShape {
  readonly topic: string;
  readonly partitions: number;
  readonly producers: number;
  /** Of all producers together. */
  readonly recordsPerSecond: number;
  readonly valueBytes: number;
  /** A consumer reads along from the start, through every outage. */
  readonly follow?: boolean;
  /** So many members of a group read along and commit. */
  readonly members?: number;
}

/** The running SteadyProducer.java and what it has reported. */
export class SteadyLoad {
  /** Offset by "producer partition number". */
  readonly acknowledged = new Map<string, number>();
  readonly failures: string[] = [];
  /** What the reader saw: names by offset, by partition. */
  readonly read: string[][] = [];
  /** What it should not have seen: gaps, doubles, errors. */
  readonly readFaults: string[] = [];
  /** What the group's members saw and committed. */
  readonly group = new GroupCheck();
  readonly #child: Deno.ChildProcess;
  readonly #reading: Promise<void>;

  private constructor(child: Deno.ChildProcess) {
    this.#child = child;
    this.#reading = this.#read();
  }

  static async start(shape: LoadShape, bootstrap: string): Promise<SteadyLoad> {
    const { partitions, producers, recordsPerSecond, valueBytes } = shape;
    const follow = shape.follow === true ? ["follow"] : [];
    const group = shape.members === undefined ? [] : ["group", String(shape.members)];
    const numbers = [partitions, producers, recordsPerSecond, valueBytes].map(String);
    const args = [
      "-Xmx256m",
      "-XX:TieredStopAtLevel=1",
      "-cp",
      await javaClient(),
      "SteadyProducer",
    ];
    return new SteadyLoad(
      new Deno.Command("java", {
        args: [...args, shape.topic, ...numbers, bootstrap, ...follow, ...group],
        stdin: "piped",
        stdout: "piped",
        stderr: "null",
      }).spawn(),
    );
  }

  /** Waits for acknowledgements of records sent from now on; milliseconds that it took. */
  async goesOn(what: string, timeoutMs = 30_000): Promise<number> {
    const started = performance.now();
    const before = this.acknowledged.size;
    await waitUntil(
      `acknowledgements ${what}`,
      () => this.acknowledged.size > before + 500 ? true : undefined,
      timeoutMs,
      10,
    );
    return Math.round(performance.now() - started);
  }

  /** Stops sending, waits until everything is acknowledged or has failed. */
  async finish(): Promise<void> {
    await this.#child.stdin.close();
    const timer = setTimeout(() => this.#child.kill("SIGKILL"), 60_000);
    await this.#reading;
    clearTimeout(timer);
    const { code } = await this.#child.status;
    assertEquals(code, 0, "the producers ended by themselves");
  }

  kill(): void {
    try {
      this.#child.kill("SIGKILL");
    } catch {
      // ended already
    }
  }

  async #read(): Promise<void> {
    let rest = "";
    const decoder = new TextDecoder();
    for await (const chunk of this.#child.stdout) {
      const lines = (rest + decoder.decode(chunk, { stream: true })).split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) this.#take(line.split(" "), line);
    }
  }

  #take([kind, ...words]: readonly string[], line: string): void {
    if (kind === "A") {
      const [producer, partition, number, offset] = words;
      this.acknowledged.set(`${producer} ${partition} ${number}`, Number(offset));
    } else if (kind === "R") {
      const [partition, offset, ...name] = words;
      const read = this.read[Number(partition)] ??= [];
      if (Number(offset) !== read.length) this.readFaults.push(`${line} after ${read.length - 1}`);
      read[Number(offset)] = name.join(" ");
    } else if (kind === "F") this.failures.push(line);
    else if (kind === "X") this.readFaults.push(line);
    else if (kind !== undefined) this.group.take(kind, words);
  }

  /** What the reader saw is what is stored, all of it, each once. */
  assertRead(records: readonly WireRecord[]): void {
    assertEquals(this.readFaults.slice(0, 3), [], `${this.readFaults.length} faults of reading`);
    for (const { p, o, v } of records) {
      const name = (text(v) ?? "").split(" ", 3).join(" ");
      assertEquals(this.read[p!]?.[o!], name, `what was read at offset ${o} of partition ${p}`);
    }
    const count = this.read.reduce((sum, names) => sum + names.length, 0);
    assertEquals(count, records.length, "records read");
  }
}

/** Everything in the topic, partition by partition in pages. */
export async function readAll(
  { topic, partitions }: LoadShape,
  bootstrap: string,
): Promise<WireRecord[]> {
  const agent = await javaAgent(bootstrap);
  try {
    const records: WireRecord[] = [];
    for (let only = 0; only < partitions; only++) {
      const latest = { topic, partition: only, at: "latest" } as const;
      const { offset: end } = await agent.call("listOffsets", latest);
      for (let offset = 0; offset < end;) {
        const args = {
          topic,
          partitions,
          only,
          from: { offset },
          waitMs: 20_000,
        };
        const page = await agent.call("consume", {
          ...args,
          count: Math.min(10_000, end - offset),
        });
        assert(page.length > 0, `partition ${only} ends at ${offset}, not at ${end}`);
        for (const one of page) assertEquals(one.o, offset++, `offsets of partition ${only}`);
        records.push(...page);
      }
    }
    return records;
  } finally {
    await agent.stop();
  }
}
