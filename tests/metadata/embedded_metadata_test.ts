import {
  assert,
  assertEquals,
  assertMatch,
  assertRejects,
  assertStringIncludes,
} from "@std/assert";
import { MetadataError } from "../../core/metadata/metadata_store.ts";
import { openEmbeddedMetadata } from "../../drivers/metadata/embedded/driver.ts";
import { SyncedFiles } from "../../drivers/metadata/embedded/files.ts";
import { EMBEDDED_LIMITS } from "../../drivers/metadata/embedded/settings.ts";
import {
  metadataStoreConformance,
  overflow,
  SHORT_HISTORY,
} from "../conformance/metadata_store.ts";

metadataStoreConformance("embedded", async () => {
  const dataDir = await Deno.makeTempDir();
  const store = await openEmbeddedMetadata({ dataDir, watch: SHORT_HISTORY });
  return {
    store,
    forget: () => overflow(store),
    another: () => openEmbeddedMetadata({ dataDir: `${dataDir}/another` }),
    dispose: () => Deno.remove(dataDir, { recursive: true }),
  };
}, {
  skip: {
    "lease() that runs out deletes its keys and reports the loss":
      "leases of this driver live as long as the process that holds the directory",
    "watch() goes on without gaps when the connection breaks": "it is in the broker's own process",
  },
});

const bytes = (text: string) => new TextEncoder().encode(text);

async function inDirectory(run: (dataDir: string) => Promise<void>): Promise<void> {
  const dataDir = await Deno.makeTempDir();
  try {
    await run(dataDir);
  } finally {
    await Deno.remove(dataDir, { recursive: true });
  }
}

async function fault(dataDir: string): Promise<string> {
  const error = await assertRejects(() => openEmbeddedMetadata({ dataDir }), MetadataError);
  assertEquals(error.outcome, "fatal");
  assert(!error.message.includes("\n"), "one sentence");
  return error.message;
}

Deno.test("openEmbeddedMetadata() finds everything again, but leased keys", async () => {
  await inDirectory(async (dataDir) => {
    const first = await openEmbeddedMetadata({ dataDir });
    const lease = await first.lease(5_000);
    const result = await first.commit({
      if: [],
      then: [{ put: "a", value: bytes("1") }, { put: "leased", value: bytes("x"), lease }],
    });
    await first.close();
    const second = await openEmbeddedMetadata({ dataDir });
    const { entries, revision } = await second.list("");
    assertEquals(entries.map((entry) => entry.key), ["a"]);
    assert(result.ok && revision > result.revision, "revisions rise over a restart");
    await second.close();
  });
});

Deno.test("openEmbeddedMetadata() refuses a directory that is in use", async () => {
  await inDirectory(async (dataDir) => {
    const first = await openEmbeddedMetadata({ dataDir });
    assertStringIncludes(await fault(dataDir), "in use by another broker");
    await first.close();
    await (await openEmbeddedMetadata({ dataDir })).close();
  });
});

Deno.test("openEmbeddedMetadata() refuses damaged and foreign files", async () => {
  await inDirectory(async (dataDir) => {
    await Deno.writeTextFile(`${dataDir}/metadata.db`, "not a database\n".repeat(1000));
    assertStringIncludes(await fault(dataDir), "damaged");
  });
  await inDirectory(async (dataDir) => {
    const store = await openEmbeddedMetadata({ dataDir });
    const value = new Uint8Array(64 * 1024).fill(1);
    await store.commit({ if: [], then: [{ put: "a", value }, { put: "b", value }] });
    await store.close();
    const file = await Deno.readFile(`${dataDir}/metadata.db`);
    file.fill(0xff, 4096, 12_288);
    await Deno.writeFile(`${dataDir}/metadata.db`, file);
    assertStringIncludes(await fault(dataDir), "damaged");
  });
});

Deno.test("openEmbeddedMetadata() names a data directory that cannot be one", async () => {
  await inDirectory(async (parent) => {
    await Deno.writeTextFile(`${parent}/file`, "");
    assertStringIncludes(await fault(`${parent}/file`), "choose another data directory");
  });
});

Deno.test("commit() stays correct across checkpoints of the write-ahead log", async () => {
  await inDirectory(async (dataDir) => {
    const store = await openEmbeddedMetadata({ dataDir });
    const value = new Uint8Array(256 * 1024).fill(3);
    const rounds = Math.ceil(4 * EMBEDDED_LIMITS.checkpointBytes / value.length);
    for (let at = 0; at < rounds; at++) {
      await store.commit({ if: [], then: [{ put: `k/${at % 10}`, value }] });
      assertEquals((await store.get(`k/${at % 10}`))?.value.length, value.length);
    }
    const { size } = await Deno.stat(`${dataDir}/metadata.db-wal`);
    assert(size < 3 * EMBEDDED_LIMITS.checkpointBytes, "the write-ahead log starts over");
    await store.close();
  });
});

Deno.test("watch() behind the history says compacted", async () => {
  await inDirectory(async (dataDir) => {
    const store = await openEmbeddedMetadata({
      dataDir,
      watch: { historyBatches: 5, historyBytes: 1e6 },
    });
    for (let at = 0; at < 10; at++) {
      await store.commit({ if: [], then: [{ put: "w/a", value: bytes(String(at)) }] });
    }
    for await (const batch of store.watch("w/", 1, new AbortController().signal)) {
      assertEquals(batch, { compacted: true });
    }
    await store.close();
  });
});

Deno.test("commit() that was acknowledged survives kill -9", async () => {
  await inDirectory(async (dataDir) => {
    for (let round = 0; round < 3; round++) {
      const writer = new Deno.Command(Deno.execPath(), {
        args: ["run", "--allow-all", new URL("./killed_writer.ts", import.meta.url).pathname],
        env: { DATA_DIR: dataDir, ROUND: String(round) },
        stdout: "piped",
      }).spawn();
      const acknowledged: string[] = [];
      let output = "";
      for await (const part of writer.stdout.pipeThrough(new TextDecoderStream())) {
        output += part;
        if (output.split("\n").length > 2000) writer.kill("SIGKILL");
      }
      await writer.status;
      for (const line of output.split("\n").slice(0, -1)) acknowledged.push(line);
      assert(acknowledged.length >= 1999);
      const store = await openEmbeddedMetadata({ dataDir });
      const present = new Set((await store.list("k/")).entries.map((entry) => entry.key));
      assertEquals(acknowledged.filter((key) => !present.has(key)), []);
      assertEquals(await store.get("leased"), undefined);
      await store.close();
    }
  });
});

Deno.test("failed tells of a sync that failed; all is refused until a restart", async () => {
  await inDirectory(async (dataDir) => {
    const { syncLog } = SyncedFiles.prototype;
    const store = await openEmbeddedMetadata({ dataDir });
    const put = (key: string) =>
      store.commit({ if: [], then: [{ put: key, value: new Uint8Array(1) }] });
    try {
      await put("before");
      // no file system here fails a sync when it is asked to
      SyncedFiles.prototype.syncLog = () => Promise.reject(new Error("EIO"));
      const error = await assertRejects(() => put("lost"), MetadataError);
      assertEquals(await store.failed, error);
      assertMatch(error.message, /could not be made durable .* restart the broker$/);
    } finally {
      SyncedFiles.prototype.syncLog = syncLog;
    }
    await assertRejects(() => put("after"), MetadataError, "restart the broker");
    await assertRejects(() => store.get("before"), MetadataError, "restart the broker");
    await store.close();
    const again = await openEmbeddedMetadata({ dataDir });
    assert(await again.get("before") !== undefined);
    assertEquals(await again.get("after"), undefined);
    await again.close();
  });
});
