/** Outages of etcd as the driver's callers see them: bounded, said clearly, and over by itself. */
import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertLess,
  assertNotEquals,
  assertRejects,
} from "@std/assert";
import { MetadataError, type MetadataStore } from "../../core/metadata/metadata_store.ts";
import { openEtcdMetadata } from "../../drivers/metadata/etcd/driver.ts";
import type { EtcdSettings } from "../../drivers/metadata/etcd/settings.ts";
import { haveTools } from "../clients/requirement.ts";
import { Etcd } from "../services/etcd.ts";
import { etcdSettings, quietRuntime } from "./etcd_scene.ts";

const bytes = (text: string) => new TextEncoder().encode(text);
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

async function put(store: MetadataStore, key: string, value: string): Promise<number> {
  const result = await store.commit({ if: [], then: [{ put: key, value: bytes(value) }] });
  assert(result.ok);
  return result.revision;
}

/** The failure of `call` and how long it took. */
async function failure(
  call: () => Promise<unknown>,
): Promise<{ error: MetadataError; ms: number }> {
  const started = performance.now();
  const error = await assertRejects(call);
  assertInstanceOf(error, MetadataError);
  return { error, ms: performance.now() - started };
}

/** Gathers what a watch tells until it is stopped. */
function told(store: MetadataStore, prefix: string, from: number) {
  const stop = new AbortController();
  const keys: string[] = [];
  const running = (async () => {
    for await (const batch of store.watch(prefix, from, stop.signal)) {
      if ("compacted" in batch) keys.push("compacted");
      else for (const event of batch.events) keys.push(event.type === "put" ? event.entry.key : "");
    }
  })();
  return {
    keys,
    /** What it has told once it has told `key`. */
    async until(key: string) {
      const endMs = performance.now() + 10_000;
      while (!keys.includes(key) && performance.now() < endMs) await pause(10);
      stop.abort();
      await running;
      return keys;
    },
  };
}

type Scene = { etcd: Etcd; store: MetadataStore; settings: EtcdSettings; lines: string[] };

function test(
  criterion: string,
  members: 1 | 3,
  run: (scene: Scene) => Promise<void>,
  overrides: Partial<EtcdSettings> = {},
): void {
  Deno.test({
    name: `etcd driver: ${criterion}`,
    sanitizeOps: true,
    sanitizeResources: true,
    async fn() {
      await using etcd = await Etcd.start({ members });
      const settings = etcdSettings(etcd, { timeoutMs: 1_500, ...overrides });
      const lines: string[] = [];
      const store = await openEtcdMetadata(settings, quietRuntime(lines));
      try {
        await run({ etcd, store, settings, lines });
      } finally {
        await store.close();
      }
    },
  });
}

if (haveTools("etcd driver", "etcd")) {
  test(
    "calls fail in bounded time while etcd is down, and go on without reopening",
    1,
    async (s) => {
      const { etcd: { members: [etcd] }, store, lines } = s;
      const first = await put(store, "a", "1");
      const watch = told(store, "", first);
      await etcd!.kill();
      const calls = [
        () => store.get("a"),
        () => store.list(""),
        () => put(store, "b", "1"),
        () => store.lease(5_000),
        () => Array.fromAsync(store.snapshot()),
      ];
      for (const call of calls) {
        const { error, ms } = await failure(call);
        assertEquals(error.outcome, "retry");
        assertLess(ms, 4_000);
      }
      await etcd!.start();
      await put(store, "c", "1");
      assertEquals((await store.get("a"))?.key, "a");
      assertEquals((await watch.until("c")).filter((key) => key !== "b"), ["c"]);
      // said when it changes, not for every call
      const said = (wanted: string) => lines.filter((line) => line === wanted).length;
      assertEquals(said("etcd does not answer; trying again"), said("etcd answers again"));
      assertLess(said("etcd answers again"), calls.length);
      assertNotEquals(said("etcd answers again"), 0);
    },
  );

  test("a paused etcd costs a time-out, then works again", 1, async ({ etcd, store }) => {
    const [member] = etcd.members;
    const watch = told(store, "w/", await put(store, "w/a", "1"));
    member!.pause();
    const results = await Promise.all([
      failure(() => store.get("w/a")),
      failure(() => put(store, "w/b", "1")),
    ]);
    for (const { error, ms } of results) {
      assertEquals(error.outcome, "retry");
      assertLess(ms, 6_000);
    }
    member!.resume();
    await put(store, "w/c", "1");
    const keys = await watch.until("w/c");
    // the write without an answer may have taken effect
    assertEquals(keys.filter((key) => key !== "w/b"), ["w/c"]);
  });

  test("the loss of a member is survived by reads, writes, watches and leases", 3, async (s) => {
    const { etcd, store } = s;
    const lease = await store.lease(4_000);
    await store.commit({ if: [], then: [{ put: "leased", value: bytes("x"), lease }] });
    const watch = told(store, "w/", await put(store, "start", "1"));
    const acknowledged: string[] = [];
    let unknown = 0;
    for (const [at, member] of etcd.members.entries()) {
      await member.kill();
      for (let write = 0; write < 20; write++) {
        const key = `w/${at}.${write}`;
        try {
          await put(store, key, "1");
          acknowledged.push(key);
        } catch (error) {
          assertInstanceOf(error, MetadataError);
          assertEquals(error.outcome, "retry");
          unknown++;
        }
      }
      await store.get("start");
      await member.start();
    }
    assert(acknowledged.length >= 50, `${unknown} writes without an answer`);
    const keys = await watch.until(acknowledged.at(-1)!);
    assertEquals(acknowledged.filter((key) => !keys.includes(key)), []);
    assertEquals(new Set(keys).size, keys.length);
    assertEquals((await store.get("leased"))?.key, "leased", "the lease was kept");
  }, { timeoutMs: 5_000 });

  test("a paused member is left for another one", 3, async ({ etcd, store }) => {
    const watch = told(store, "w/", await put(store, "w/a", "1"));
    await pause(200);
    const [first] = etcd.members;
    first!.pause();
    const started = performance.now();
    assertEquals((await store.get("w/a"))?.key, "w/a");
    assertLess(performance.now() - started, 6_000);
    await put(store, "w/b", "1");
    assertEquals(await watch.until("w/b"), ["w/b"]);
    first!.resume();
  }, { timeoutMs: 5_000 });

  test("without a quorum everything fails in bounded time", 3, async ({ etcd, store }) => {
    await put(store, "a", "1");
    await etcd.members[0]!.kill();
    await etcd.members[1]!.kill();
    for (const call of [() => store.get("a"), () => put(store, "b", "1")]) {
      const { error, ms } = await failure(call);
      assertEquals(error.outcome, "retry");
      assertLess(ms, 6_000);
    }
    await etcd.members[0]!.start();
    await put(store, "c", "1");
  }, { timeoutMs: 3_000 });

  test("increments with unknown outcomes are never lost and never doubled", 3, async (s) => {
    const { etcd, store } = s;
    let confirmed = 0;
    let unknown = 0;
    let going = true;
    const increment = async () => {
      while (going) {
        try {
          const entry = await store.get("counter");
          const next = Number(new TextDecoder().decode(entry?.value) || 0) + 1;
          const result = await store.commit({
            if: [{ key: "counter", revision: entry?.revision ?? 0 }],
            then: [{ put: "counter", value: bytes(String(next)) }],
          }).catch((error) => {
            unknown++;
            throw error;
          });
          if (result.ok) confirmed++;
        } catch (error) {
          assertInstanceOf(error, MetadataError);
          assertEquals(error.outcome, "retry");
        }
      }
    };
    const rivals = Promise.all(Array.from({ length: 8 }, increment));
    for (const member of etcd.members) {
      await pause(300);
      await member.kill();
      await pause(300);
      await member.start();
    }
    going = false;
    await rivals;
    const counter = Number(new TextDecoder().decode((await store.get("counter"))!.value));
    assert(confirmed > 0);
    assert(
      counter >= confirmed && counter <= confirmed + unknown,
      `${confirmed} confirmed, ${unknown} unknown, counted ${counter}`,
    );
  }, { timeoutMs: 4_000 });

  test("a lease outlives a short outage and reports a long one", 1, async ({ etcd, store }) => {
    const [member] = etcd.members;
    const kept = await store.lease(6_000);
    await store.commit({ if: [], then: [{ put: "kept", value: bytes("x"), lease: kept }] });
    await member!.kill();
    await pause(1_000);
    await member!.start();
    await pause(3_000);
    assertEquals((await store.get("kept"))?.key, "kept");
    await kept.revoke();
    const lost = await store.lease(2_000);
    await store.commit({ if: [], then: [{ put: "lost", value: bytes("x"), lease: lost }] });
    await member!.kill();
    const started = performance.now();
    await lost.lost;
    assertLess(performance.now() - started, 4_000);
    const { error } = await failure(() =>
      store.commit({ if: [], then: [{ put: "late", value: bytes("x"), lease: lost }] })
    );
    assertEquals(error.outcome, "retry");
    await member!.start();
    const endMs = performance.now() + 10_000;
    while (await store.get("lost") !== undefined) {
      assertLess(performance.now(), endMs);
      await pause(100);
    }
  });

  test("close() during an outage ends soon", 1, async ({ etcd, store }) => {
    const lease = await store.lease(5_000);
    await etcd.members[0]!.kill();
    const started = performance.now();
    await store.close();
    await lease.lost;
    assertLess(performance.now() - started, 4_000);
  });

  test("an etcd that lost its newest writes is noticed, and nothing goes on", 1, async (s) => {
    const { etcd: { members: [member] }, store, settings } = s;
    await put(store, "kept", "1");
    await member!.stop();
    const copy = await member!.setAside();
    await member!.start();
    for (let at = 0; at < 20; at++) await put(store, "lost", String(at));
    const watching = failure(async () => {
      for await (const _ of store.watch("", 0, new AbortController().signal));
    });
    const lease = await store.lease(60_000);
    await member!.stop();
    await member!.putBack(copy);
    await member!.start();
    const { error } = await failure(() => store.get("kept"));
    assertEquals(error.outcome, "fatal");
    assert(error.message.includes("went back from revision"), error.message);
    assertEquals((await store.failed)?.message, error.message);
    assertEquals((await watching).error.message, error.message);
    await lease.lost;
    const reopened = await openEtcdMetadata(settings, quietRuntime());
    assertEquals((await reopened.get("kept"))?.key, "kept");
    assertEquals(await reopened.get("lost"), undefined);
    await reopened.close();
  });
}
