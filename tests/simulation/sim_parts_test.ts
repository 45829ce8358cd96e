/** The simulated world itself: its clock, its network, its deaths. */
import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { MalformedError } from "../../core/bytes/mod.ts";
import { sleep } from "../../core/runtime/mod.ts";
import { CALM, MemoryObjects, memoryStore } from "../../drivers/storage/memory/driver.ts";
import { defaultConfig } from "../../core/config/mod.ts";
import { healthyStore } from "../fsck/healthy_store.ts";
import { auditProblems, auditStore } from "./store_audit.ts";
import { EventLoop } from "./event_loop.ts";
import { Prng } from "./prng.ts";
import { buildBatch, readBatches } from "./record_batch.ts";
import { CALM_NETWORK, SimNetwork } from "./sim_network.ts";
import { SimProcess } from "./sim_process.ts";
import { simRuntime, storeOf } from "./sim_runtime.ts";

Deno.test("Prng repeats itself by seed, and forks don't depend on their parent's use", () => {
  const draw = (prng: Prng) => Array.from({ length: 50 }, () => prng.uint32());
  assertEquals(draw(new Prng("7")), draw(new Prng("7")));
  assert(draw(new Prng("7"))[0] !== draw(new Prng("8"))[0]);
  const used = new Prng("7");
  draw(used);
  assertEquals(draw(used.fork("a")), draw(new Prng("7").fork("a")));
  const prng = new Prng("spread");
  const counts = new Array<number>(8).fill(0);
  for (let at = 0; at < 8_000; at++) counts[prng.below(8)]!++;
  for (const count of counts) assert(count > 850 && count < 1_150, counts.join());
});

Deno.test("EventLoop runs events by time, then in the order of their making", async () => {
  const loop = new EventLoop();
  const seen: string[] = [];
  const delays = [5, 1, 3, 1, 0, 100, 3];
  delays.forEach((delay, at) => loop.after(delay, () => seen.push(`${delay}.${at}@${loop.nowMs}`)));
  loop.after(2, () => seen.push("cancelled")).cancel();
  loop.after(3, () => loop.soon(() => seen.push(`soon@${loop.nowMs}`)));
  assertEquals(await loop.run(50, 1_000), "time");
  assertEquals(seen, ["0.4@0", "1.1@1", "1.3@1", "3.2@3", "3.6@3", "soon@3", "5.0@5"]);
  assertEquals(loop.nowMs, 50);
  assertEquals(await loop.run(1_000, 1_000), "idle");
  assertEquals(seen.at(-1), "100.5@100");
});

Deno.test("EventLoop finishes all promise reactions of an event before the next", async () => {
  const loop = new EventLoop();
  const seen: number[] = [];
  loop.after(1, async () => {
    for (let step = 0; step < 50; step++) await Promise.resolve();
    seen.push(1);
  });
  loop.after(1, () => seen.push(2));
  await loop.run(10, 100);
  assertEquals(seen, [1, 2]);
  loop.soon(function again() {
    loop.soon(again);
  });
  assertEquals(await loop.run(100, 30), "ticks");
});

Deno.test("SimProcess: the dead get nothing, neither timers nor answers", async () => {
  const loop = new EventLoop();
  const process = new SimProcess(loop, "p");
  const seen: string[] = [];
  process.onDeath(() => seen.push("died"));
  process.timers.after(5, () => seen.push("timer before"));
  process.timers.after(20, () => seen.push("timer after"));
  const slow = () => new Promise<void>((resolve) => loop.after(15, resolve));
  void process.call(slow).then(() => seen.push("answer"));
  loop.after(10, () => process.kill());
  loop.after(12, () => void process.call(slow).then(() => seen.push("call of the dead")));
  await loop.run(100, 1_000);
  assertEquals(seen, ["timer before", "died"]);
});

Deno.test("SimProcess: a fuse kills before the step has an effect", async () => {
  const loop = new EventLoop();
  const objects = new MemoryObjects();
  const process = new SimProcess(loop, "p");
  const world = new SimProcess(loop, "world");
  const network = new SimNetwork(loop, new Prng("n"));
  const runtime = simRuntime(world, new Prng("r"), network, () => {});
  const faults = { ...CALM, latencyMinMs: 4, latencyMaxMs: 4 };
  const store = storeOf(process, memoryStore(objects, runtime, faults));
  process.lightFuse(3);
  const body = [new Uint8Array([1])];
  const answers: string[] = [];
  loop.soon(() => {
    for (const key of ["a", "b", "c", "d"]) {
      void store.putIfAbsent(key, body).then(() => answers.push(key));
    }
  });
  await loop.run(100, 1_000);
  assertEquals([process.alive, objects.has("a"), objects.has("b"), objects.has("c")], [
    false,
    true,
    true,
    false,
  ]);
  assertEquals(answers, [], "it died before the answers came");
});

Deno.test("SimProcess: a pause delays all deliveries to its end", async () => {
  const loop = new EventLoop();
  const process = new SimProcess(loop, "p");
  const seen: string[] = [];
  for (const at of [5, 15, 35]) process.timers.after(at, () => seen.push(`${at}@${loop.nowMs}`));
  loop.after(10, () => process.pause(30));
  await loop.run(100, 1_000);
  assertEquals(seen, ["5@5", "15@30", "35@35"]);
});

async function talk(bytes: number, bufferBytes: number, end: "close" | "reset" | "crash") {
  const loop = new EventLoop();
  const faults = { ...CALM_NETWORK, latencyMaxMs: 5, partialChance: 0.5, bufferBytes };
  const network = new SimNetwork(loop, new Prng("net"), faults);
  const server = new SimProcess(loop, "server");
  const client = new SimProcess(loop, "client");
  const got: number[] = [];
  let serverSaw = "";
  let clientSaw = "";
  const serve = async () => {
    const listener = await network.networkOf(server).listen({ host: "h", port: 1 });
    const connection = (await listener.accept())!;
    const into = new Uint8Array(100);
    for (;;) {
      const read = await connection.read(into);
      if (read === undefined) break;
      got.push(...into.subarray(0, read));
      if (end === "crash" && got.length > bytes / 2) server.kill();
    }
    serverSaw = "end";
  };
  const send = async () => {
    await sleep(client.timers, 1);
    const { connection, link } = (await network.connect(client, 1))!;
    const body = Uint8Array.from({ length: bytes }, (_, at) => at & 0xff);
    for (let at = 0; at < bytes;) {
      at += await connection.write(body.subarray(at));
      if (end === "reset" && at > bytes / 2) link.reset();
    }
    connection.close();
    clientSaw = "sent";
  };
  void serve().catch((error) => serverSaw = error.message);
  void send().catch((error) => clientSaw = error.message);
  await loop.run(10_000, 100_000);
  return { got, serverSaw, clientSaw, links: network.links.size };
}

Deno.test("SimNetwork: all bytes arrive in order through a small buffer, in parts", async () => {
  const { got, serverSaw, clientSaw } = await talk(5_000, 64, "close");
  assertEquals(got, Array.from({ length: 5_000 }, (_, at) => at & 0xff));
  assertEquals([serverSaw, clientSaw], ["end", "sent"]);
});

Deno.test("SimNetwork: a reset reaches both ends, a crash the one that is left", async () => {
  const reset = await talk(5_000, 64, "reset");
  assert(reset.got.length < 5_000);
  assertEquals([reset.serverSaw, reset.clientSaw], ["connection reset", "connection reset"]);
  const crash = await talk(5_000, 64, "crash");
  assertEquals([crash.serverSaw, crash.clientSaw], ["", "connection reset"]);
});

Deno.test("SimNetwork: nobody answers on a port without a listener", async () => {
  const loop = new EventLoop();
  const network = new SimNetwork(loop, new Prng("net"));
  const client = new SimProcess(loop, "client");
  let made: unknown = "open";
  void network.connect(client, 9).then((connection) => made = connection);
  await loop.run(100, 1_000);
  assertEquals(made, undefined);
});

Deno.test("MemoryStore: each injected fault does what it says", async () => {
  const loop = new EventLoop();
  const world = new SimProcess(loop, "world");
  const network = new SimNetwork(loop, new Prng("n"));
  const runtime = simRuntime(world, new Prng("r"), network, () => {});
  const body = [new Uint8Array([1])];
  const outcomeOf = async (over: Partial<typeof CALM>, atMs: number) => {
    const objects = new MemoryObjects();
    const store = memoryStore(objects, runtime, { ...CALM, latencyMinMs: 1, ...over });
    let outcome = "";
    void store.putIfAbsent("k", body).then((o) => outcome = o, (e) => outcome = e.outcome);
    await loop.run(loop.nowMs + atMs, 1_000);
    return [outcome, objects.has("k")];
  };
  assertEquals(await outcomeOf({}, 5), ["created", true]);
  assertEquals(await outcomeOf({ failBeforeChance: 1 }, 5), ["retry", false]);
  assertEquals(await outcomeOf({ throttleChance: 1 }, 5), ["throttled", false]);
  assertEquals(await outcomeOf({ failAfterChance: 1 }, 5), ["retry", true]);
  assertEquals(await outcomeOf({ lateChance: 1, lateMs: 1e9 }, 5), ["retry", false]);
  assertEquals(await outcomeOf({ lateChance: 1, lateMs: 50 }, 100), ["retry", true]);
  assertEquals(await outcomeOf({ slowChance: 1, slowMs: 50 }, 5), ["", false]);
});

Deno.test("readBatches() reads what buildBatch() made, and refuses a flipped bit", async () => {
  const values = ["first", "", "ünïcode".repeat(100)];
  const batch = buildBatch({ values, timestampMs: 1, producerId: 5, baseSequence: 2 });
  const records = values.map((value, offset) => ({ offset, value, leaderEpoch: -1 }));
  assertEquals(readBatches(batch), records);
  assertEquals(readBatches(batch.subarray(0, batch.length - 1)), []);
  for (const at of [21, 57, 70, batch.length - 1]) {
    const broken = batch.slice();
    broken[at]! ^= 4;
    assertThrows(() => readBatches(broken), MalformedError);
  }
  await assertRejects(() => Promise.reject(new MalformedError("x")), MalformedError);
});

Deno.test("auditStore() sees what is missing, and ends within one event", async () => {
  const { scene } = await healthyStore();
  const loop = new EventLoop();
  const process = new SimProcess(loop, "services");
  const network = new SimNetwork(loop, new Prng("n"), CALM_NETWORK);
  const runtime = simRuntime(process, new Prng("r"), network, () => {});
  const config = defaultConfig({ namespace: "ns" });
  const audits: string[][] = [];
  const audit = () => {
    const { objects, metadata } = scene;
    void auditStore({ runtime, objects, metadata, config }).then((report) => {
      audits.push(auditProblems(report, false, true));
    });
  };
  loop.after(1, audit);
  loop.after(2, () => {
    assertEquals(audits, [[]]);
    scene.objects.delete("ns/a/0/segment-00000000000000000004.kfs");
  });
  loop.after(3, audit);
  assertEquals(await loop.run(10, 100), "idle");
  const problem = "fsck: segment-missing ns/a/0/segment-00000000000000000004.kfs: is not there";
  assertEquals(audits[1]!.map((each) => each.split(";")[0]), [problem]);
});
