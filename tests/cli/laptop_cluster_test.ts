/** `start --cluster 3` as somebody with a laptop uses it: three brokers, and commands typed in. */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { waitUntil } from "../clients/wait_until.ts";
import { cli, type Outcome, spawnCli, withDirectory } from "./run_cli.ts";

const PARTITIONS = 6;
const LEASE_MS = 500;

interface Laptop {
  /** Where each broker serves, by id. */
  readonly addresses: readonly string[];
  readonly log: readonly Record<string, unknown>[];
  /** Types a line, and waits for what it is answered. */
  type(line: string, lines?: number): Promise<string[]>;
  stop(): Promise<number>;
}

/** Whole lines of a stream, as they come. */
async function readLines(stream: ReadableStream<Uint8Array>, each: (line: string) => void) {
  let rest = "";
  for await (const chunk of stream.pipeThrough(new TextDecoderStream() as never)) {
    const lines = (rest + chunk).split("\n");
    rest = lines.pop()!;
    lines.forEach(each);
  }
}

async function startLaptop(dir: string): Promise<Laptop> {
  const child = spawnCli([
    "start",
    ...["--cluster", "3", "--broker-addr", "127.0.0.1:0", "--data-dir", dir],
    ...["--broker-lease-ms", String(LEASE_MS), "--log-format", "json"],
  ], { stdin: "" });
  const log: Record<string, unknown>[] = [];
  const answers: string[] = [];
  const reading = Promise.all([
    readLines(child.stderr, (line) => {
      log.push(line.startsWith("{") ? JSON.parse(line) : { sentence: line });
    }),
    readLines(child.stdout, (line) => answers.push(line)),
  ]);
  const keyboard = child.stdin.getWriter();
  const produce = await waitUntil("three brokers", () => {
    const line = log.find((entry) => entry.produce !== undefined || entry.sentence !== undefined);
    assertEquals(line?.sentence, undefined);
    return line?.produce as string | undefined;
  });
  let answered = 0;
  return {
    addresses: / -b (\S+)/.exec(produce)![1]!.split(","),
    log,
    type: async (line, lines = 1) => {
      await keyboard.write(new TextEncoder().encode(`${line}\n`));
      await waitUntil(
        `an answer to ${line}`,
        () => answers.length >= answered + lines || undefined,
      );
      return answers.slice(answered, answered += lines);
    },
    stop: async () => {
      child.kill("SIGTERM");
      const { code } = await child.status;
      await reading;
      await keyboard.close().catch(() => {});
      return code;
    },
  };
}

/** How many partitions each broker leads, null for one that does not serve. */
async function leads(laptop: Laptop): Promise<(number | null)[]> {
  const lines = await laptop.type("list", 3);
  return lines.map((line) => {
    const count = / serving, leads (\d+)/.exec(line)?.[1];
    return count === undefined ? null : Number(count);
  });
}

/** Waits until all partitions are led, by those brokers alone and by each of them. */
function ledBy(laptop: Laptop, ids: readonly number[]): Promise<(number | null)[]> {
  return waitUntil(`partitions to be led by ${ids}`, async () => {
    const counts = await leads(laptop);
    const led = counts.flatMap((count, id) => count !== null && count > 0 ? [id] : []);
    const sum = counts.reduce<number>((total, count) => total + (count ?? 0), 0);
    return sum === PARTITIONS && led.join() === ids.join() ? counts : undefined;
  });
}

const run = async (args: string[], stdin?: string): Promise<Outcome> => {
  const outcome = await cli(args, stdin === undefined ? {} : { stdin });
  assertEquals(outcome.code, 0, outcome.stderr);
  return outcome;
};

async function produce(address: string, records: readonly string[]): Promise<void> {
  const lines = records.map((each) => `${each}:${each}`).join("\n");
  await run(["produce", "t", "-K", ":", "-b", address], lines);
}

async function assertAllThere(address: string, records: readonly string[]): Promise<void> {
  const { stdout } = await run(["consume", "t", "--from-beginning", "-b", address]);
  assertEquals(stdout.trimEnd().split("\n").sort(), records.toSorted());
}

Deno.test("start --cluster 3: stop, kill and start move partitions, and lose nothing", () =>
  withDirectory(async (dir) => {
    const laptop = await startLaptop(dir);
    const { addresses } = laptop;
    assertEquals(new Set(addresses).size, 3);
    await run(["topics", "create", "t", "-p", String(PARTITIONS), "-b", addresses[1]!]);
    assertEquals(await ledBy(laptop, [0, 1, 2]), [2, 2, 2]);
    const records = addresses.flatMap((_, id) => [0, 1, 2, 3, 4, 5].map((at) => `${id}.${at}`));
    await Promise.all(
      addresses.map((address, id) =>
        produce(address, records.filter((each) => each.startsWith(`${id}.`)))
      ),
    );

    assertMatch((await laptop.type("stop 1"))[0]!, /^broker 1 is stopped/);
    assertEquals((await ledBy(laptop, [0, 2]))[1], null);
    await produce(addresses[2]!, ["while 1 is stopped"]);
    records.push("while 1 is stopped");
    await Promise.all([0, 2].map((id) => assertAllThere(addresses[id]!, records)));
    assertMatch((await laptop.type("stop 1"))[0]!, /^broker 1 is stopped already$/);
    assertEquals(await laptop.type("start 1"), [`broker 1 serves at ${addresses[1]}`]);
    await ledBy(laptop, [0, 1, 2]);

    assertMatch((await laptop.type("kill 0"))[0]!, /^broker 0 is killed; .* in 0.5 s$/);
    await ledBy(laptop, [1, 2]);
    await produce(addresses[1]!, ["while 0 is dead"]);
    records.push("while 0 is dead");
    await Promise.all([1, 2].map((id) => assertAllThere(addresses[id]!, records)));
    assertEquals(await laptop.type("start 0"), [`broker 0 serves at ${addresses[0]}`]);
    await ledBy(laptop, [0, 1, 2]);
    await assertAllThere(addresses[0]!, records);

    assertMatch((await laptop.type("kill 3"))[0]!, /^there is no broker 3; there are 0, 1, 2$/);
    assertMatch((await laptop.type("dance"))[0]!, /^not understood: dance; commands: list, /);
    // the lease of a broker that died just now holds nobody up
    await laptop.type("kill 2");
    assertEquals(await laptop.stop(), 0);
    assertEquals(laptop.log.at(-1)?.msg, "stopped");
    assertEquals(laptop.log.filter(({ level }) => level === "error"), []);

    const alone = await cli(["start", "--broker-addr", "127.0.0.1:0", "--data-dir", dir]);
    assertEquals(alone.code, 1);
    assertStringIncludes(alone.stderr, "belongs to a cluster of brokers; set KAFSCALE_CLUSTER=");
  }));

Deno.test("start --cluster 3 refuses a port in use with one sentence", () =>
  withDirectory(async (dir) => {
    const taken = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const at = `127.0.0.1:${taken.addr.port}`;
    const refused = await cli(["start", "--cluster", "3", "--broker-addr", at, "--data-dir", dir]);
    taken.close();
    assertEquals(refused.code, 1);
    const last = refused.stderr.trimEnd().split("\n").at(-1)!;
    assertStringIncludes(last, `kafscale start: ${at} is in use by another program; `);
    assert(!refused.stderr.includes("    at "), refused.stderr);
  }));
