/** What is the etcd driver's own: who may come in, how large a transaction may be, restores. */
import { assert, assertEquals, assertInstanceOf, assertLess, assertRejects } from "@std/assert";
import { MetadataError, type MetadataStore } from "../../core/metadata/metadata_store.ts";
import { openEtcdMetadata } from "../../drivers/metadata/etcd/driver.ts";
import type { EtcdSettings } from "../../drivers/metadata/etcd/settings.ts";
import { haveTools } from "../clients/requirement.ts";
import { Etcd, type EtcdOptions } from "../services/etcd.ts";
import { etcdSettings, quietRuntime } from "./etcd_scene.ts";
import { freePort } from "../services/free_port.ts";

const bytes = (text: string) => new TextEncoder().encode(text);

async function put(store: MetadataStore, key: string, value: string): Promise<number> {
  const result = await store.commit({ if: [], then: [{ put: key, value: bytes(value) }] });
  assert(result.ok);
  return result.revision;
}

/** Why the store cannot be opened; always fatal and in bounded time. */
async function refusal(settings: EtcdSettings): Promise<string> {
  const started = performance.now();
  const error = await assertRejects(() => openEtcdMetadata(settings, quietRuntime()));
  assertInstanceOf(error, MetadataError);
  assertEquals(error.outcome, "fatal");
  // each endpoint and step has its time-out; the rest is for a machine that others use
  assertLess(performance.now() - started, 3 * settings.timeoutMs + 10_000);
  assert(!error.message.includes("\n"), error.message);
  return error.message;
}

function test(
  criterion: string,
  options: EtcdOptions,
  run: (etcd: Etcd, settings: EtcdSettings) => Promise<void>,
): void {
  Deno.test({
    name: `etcd driver: ${criterion}`,
    sanitizeOps: true,
    sanitizeResources: true,
    async fn() {
      await using etcd = await Etcd.start(options);
      await run(etcd, etcdSettings(etcd, { timeoutMs: 1_000 }));
    },
  });
}

async function using(
  settings: EtcdSettings,
  run: (store: MetadataStore) => Promise<void>,
): Promise<void> {
  const store = await openEtcdMetadata(settings, quietRuntime());
  try {
    await run(store);
  } finally {
    await store.close();
  }
}

/** A user `kafscale` who may read and write below `prefix`, and a root. */
async function secure(etcd: Etcd, prefix: string): Promise<void> {
  await etcd.api("auth/user/add", { name: "root", password: "root" });
  await etcd.api("auth/user/grant", { user: "root", role: "root" });
  await etcd.api("auth/user/add", { name: "kafscale", password: "secret" });
  await etcd.api("auth/role/add", { name: "broker" });
  const perm = { permType: "READWRITE", key: btoa(`${prefix}/`), range_end: btoa(`${prefix}0`) };
  await etcd.api("auth/role/grant", { name: "broker", perm });
  await etcd.api("auth/user/grant", { user: "kafscale", role: "broker" });
  await etcd.api("auth/enable", {});
}

if (haveTools("etcd driver", "etcd", "openssl")) {
  test("a user with rights below the prefix is enough; others are refused", {}, async (etcd, s) => {
    await secure(etcd, s.prefix);
    const user = { ...s, username: "kafscale", password: "secret" };
    await using(user, async (store) => {
      const from = await put(store, "a", "1");
      const stop = new AbortController();
      const watching = store.watch("", from, stop.signal)[Symbol.asyncIterator]();
      const next = watching.next();
      const lease = await store.lease(5_000);
      await store.commit({ if: [], then: [{ put: "b", value: bytes("1"), lease }] });
      assert(!(await next).done);
      assertEquals((await store.list("")).entries.length, 2);
      const snapshot = await Array.fromAsync(store.snapshot());
      await store.restore(ReadableStream.from(snapshot));
      assertEquals((await store.list("")).entries.map(({ key }) => key), ["a"]);
      // a member that starts again knows none of the tokens that it gave out
      await etcd.members[0]!.kill();
      await etcd.members[0]!.start();
      await put(store, "c", "1");
      stop.abort();
      await watching.return?.();
      await lease.revoke();
    });
    const wrong = await refusal({ ...user, password: "wrong" });
    assert(wrong.includes("does not accept the user") && wrong.includes("KAFSCALE_ETCD_PASSWORD"));
    assert(!wrong.includes("wrong"), "the password stays secret");
    assert((await refusal(s)).includes("refuses"), "nobody comes in without a user");
    const elsewhere = await refusal({ ...user, prefix: "elsewhere" });
    assert(elsewhere.includes("grant the user the keys below KAFSCALE_ETCD_PREFIX"), elsewhere);
  });

  test("TLS checks both sides' certificates", { tls: true }, async (etcd, settings) => {
    await using(settings, async (store) => {
      await put(store, "a", "1");
      await etcd.members[0]!.kill();
      await etcd.members[0]!.start();
      assertEquals((await store.get("a"))?.key, "a");
    });
    const { otherCa } = etcd.certificates!;
    const untrusted = await refusal({ ...settings, caFile: otherCa });
    assert(untrusted.includes("TLS settings"), untrusted);
    await refusal({ ...settings, certFile: null, keyFile: null });
    await refusal({ ...settings, caFile: null });
    const missing = await refusal({ ...settings, caFile: "/nowhere/ca.pem" });
    assert(missing.includes("does not exist"), missing);
    const plain = { ...settings, endpoints: settings.endpoints.map((e) => e.replace("s:", ":")) };
    assert((await refusal(plain)).includes("write them as https://host:port"));
  });

  test("an etcd that is not there is said in one sentence, soon", {}, async (_etcd, settings) => {
    const endpoints = [`http://127.0.0.1:${freePort()}`];
    const message = await refusal({ ...settings, endpoints });
    assert(message.includes("start etcd, or correct KAFSCALE_ETCD_ENDPOINTS"), message);
    // a network that swallows everything
    const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    await refusal({ ...settings, endpoints: [`http://127.0.0.1:${listener.addr.port}`] });
    listener.close();
  });

  test("dead endpoints are passed over when opening", {}, async (etcd, settings) => {
    const dead = [freePort(), freePort()].map((port) => `http://127.0.0.1:${port}`);
    await using({ ...settings, endpoints: [...dead, ...etcd.endpoints] }, async (store) => {
      await put(store, "a", "1");
    });
  });

  test(
    "a transaction that is too large is refused with what to do",
    {},
    async (_etcd, settings) => {
      await using(settings, async (store) => {
        const values = [1_600_000, 3_000_000].map((
          size,
        ) => [{ put: "a", value: new Uint8Array(size) }]);
        const many = Array.from({ length: 200 }, (_, at) => ({ put: `k${at}`, value: bytes("x") }));
        for (const then of [...values, many]) {
          const error = await assertRejects(() => store.commit({ if: [], then }));
          assertInstanceOf(error, MetadataError);
          assertEquals(error.outcome, "fatal");
          assert(error.message.includes("--max-request-bytes and --max-txn-ops"), error.message);
        }
        assertEquals((await store.list("")).entries, []);
        await put(store, "a", "1");
      });
    },
  );

  test("list() pages large values as of one revision, through compactions", {}, async (etcd, s) => {
    await using({ ...s, timeoutMs: 5_000 }, async (store) => {
      const value = new Uint8Array(200_000).fill(1);
      for (let at = 0; at < 150; at++) {
        await store.commit({ if: [], then: [{ put: `k/${1000 + at}`, value }] });
      }
      let going = true;
      const busy = (async () => {
        while (going) {
          await put(store, "other", "x");
          await etcd.compact();
        }
      })();
      const { entries } = await store.list("k/");
      going = false;
      await busy;
      assertEquals(entries.length, 150);
      assert(entries.every((entry) => entry.value.length === value.length));
      await etcd.defragment();
      assertEquals((await store.list("k/")).entries.length, 150);
    });
  });

  test("restore() replaces everything at once for every client", {}, async (etcd, settings) => {
    await using(settings, (store) =>
      using(settings, async (other) => {
        const many = Array.from({ length: 300 }, (_, at) => `s/${1000 + at}`);
        for (const key of many) await put(store, key, "1");
        const snapshot = await Array.fromAsync(store.snapshot());
        await put(store, "s/1000", "2");
        const late = await put(store, "s/new", "1");
        const watching = Array.fromAsync(other.watch("s/", late, new AbortController().signal));
        await store.restore(ReadableStream.from(snapshot));
        assertEquals(await watching, [{ compacted: true }]);
        const { entries, revision } = await other.list("s/");
        assertEquals(entries.map(({ key }) => key), many);
        assert(entries.every((entry) => entry.revision > late));
        const stale = { if: [{ key: "s/new", revision: late }], then: [{ delete: "s/1001" }] };
        assertEquals(await other.commit(stale), { ok: false });
        assert(await put(other, "s/1000", "3") > revision);
        assertEquals((await store.get("s/1000"))?.value, bytes("3"));
        // nothing of the old generation is left
        const all = { key: btoa(`${settings.prefix}/`), range_end: btoa(`${settings.prefix}0`) };
        const { count } = await etcd.api("kv/range", { ...all, count_only: true });
        assertEquals(count, String(many.length + 2));
      }));
  });

  test("a holder that was paused for too long learns that its lease is lost", {}, async (e, s) => {
    const holder = new Deno.Command(Deno.execPath(), {
      args: ["run", "--allow-all", new URL("./paused_holder.ts", import.meta.url).pathname],
      env: { ETCD_SETTINGS: JSON.stringify(s) },
      stdout: "piped",
    }).spawn();
    const lines = holder.stdout.pipeThrough(new TextDecoderStream())[Symbol.asyncIterator]();
    assertEquals((await lines.next()).value, "held\n");
    await using(s, async (store) => {
      assertEquals((await store.get("held"))?.key, "held");
      holder.kill("SIGSTOP");
      const endMs = performance.now() + 10_000;
      while (await store.get("held") !== undefined) {
        assertLess(performance.now(), endMs);
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    });
    holder.kill("SIGCONT");
    assertEquals((await lines.next()).value, "lost\n");
    assertEquals((await holder.status).code, 0);
    await lines.return?.();
    assert(e.members[0]!.running);
  });
}
