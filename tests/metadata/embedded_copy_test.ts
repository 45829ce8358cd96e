/** The metadata of a data directory, read while a broker has it to itself. */
import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { MetadataError } from "../../core/metadata/metadata_store.ts";
import { openEmbeddedCopy } from "../../drivers/metadata/embedded/copy.ts";
import { openEmbeddedMetadata } from "../../drivers/metadata/embedded/driver.ts";

const bytes = (text: string) => new TextEncoder().encode(text);

async function inDirectory(run: (dataDir: string) => Promise<void>): Promise<void> {
  const dataDir = await Deno.makeTempDir();
  try {
    await run(dataDir);
  } finally {
    await Deno.remove(dataDir, { recursive: true });
  }
}

async function files(dataDir: string): Promise<Record<string, number>> {
  const sizes: Record<string, number> = {};
  for await (const { name } of Deno.readDir(dataDir)) {
    sizes[name] = (await Deno.stat(`${dataDir}/${name}`)).size;
  }
  return sizes;
}

Deno.test("openEmbeddedCopy() shows what is committed, and leaves the directory as it is", () =>
  inDirectory(async (dataDir) => {
    const store = await openEmbeddedMetadata({ dataDir });
    await store.commit({ if: [], then: [{ put: "a", value: bytes("1") }] });
    const before = await files(dataDir);
    const copy = await openEmbeddedCopy({ dataDir });
    assertEquals((await copy.get("a"))?.value, bytes("1"));
    assertEquals(await files(dataDir), before);
    await store.commit({ if: [], then: [{ put: "a", value: bytes("2") }] });
    assertEquals((await copy.get("a"))?.value, bytes("1"), "a copy stays as it was");
    await copy.close();
    const later = await openEmbeddedCopy({ dataDir });
    assertEquals((await later.get("a"))?.value, bytes("2"));
    await later.close();
    await store.close();
    const closed = await openEmbeddedCopy({ dataDir });
    assertEquals((await closed.get("a"))?.value, bytes("2"));
    await closed.close();
  }));

Deno.test("openEmbeddedCopy() is of one moment, however much is written meanwhile", () =>
  inDirectory(async (dataDir) => {
    const store = await openEmbeddedMetadata({ dataDir });
    let running = true;
    const write = async () => {
      for (let at = 1; running; at++) {
        // 8 pairs of 40 KB: the log is moved into the database every few transactions
        const then = Array.from({ length: 8 }, (_, pair) => {
          const value = new Uint8Array(40_000 + pair).fill(at & 255);
          return [{ put: `${pair}/a`, value }, { put: `${pair}/b`, value }];
        });
        const number = bytes(String(at));
        await store.commit({ if: [], then: [...then.flat(), { put: "number", value: number }] });
      }
    };
    const writing = write();
    let seen = 0;
    for (let round = 0; round < 25; round++) {
      const copy = await openEmbeddedCopy({ dataDir }).catch((error) => {
        if (error instanceof MetadataError && error.outcome === "retry") return undefined;
        throw error;
      });
      if (copy === undefined) continue;
      const number = Number(new TextDecoder().decode((await copy.get("number"))?.value));
      assert(number >= seen || Number.isNaN(number), `${number} after ${seen}`);
      seen = number || 0;
      const { entries } = await copy.list("");
      for (const { key, value } of entries) {
        if (key !== "number") assertEquals(value[0], seen & 255, key);
        assert(value.every((byte) => key === "number" || byte === value[0]), key);
      }
      await copy.close();
    }
    running = false;
    await writing;
    await store.close();
    assert(seen > 10, `only ${seen} transactions were seen`);
  }));

Deno.test("openEmbeddedCopy() says that there is nothing", () =>
  inDirectory(async (dataDir) => {
    const error = await assertRejects(() => openEmbeddedCopy({ dataDir }), MetadataError);
    assertStringIncludes(error.message, "there is no metadata in ");
    assertEquals(await files(dataDir), {});
  }));
