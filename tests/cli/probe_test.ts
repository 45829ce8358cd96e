/** `kafscale probe` as its users run it; tests/storage/probe_test.ts tests the cases themselves. */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { PROMISES } from "../../core/storage/probe/mod.ts";
import { minioForFile } from "../services/minio.ts";
import { cli, spawnCli, withDirectory } from "./run_cli.ts";

const EXAMPLE = new URL("../../docs/examples/sqlite_store.js", import.meta.url).href;

/** Keys in a directory of the file driver. */
async function keysIn(dir: string): Promise<string[]> {
  const { code, stdout, stderr } = await cli(["dump", "--list", "--data-dir", dir]);
  assertEquals(code, 0, stderr);
  return stdout.split("\n").filter((line) => line !== "");
}

Deno.test("probe tells what a directory keeps, measures it, and leaves nothing behind", () =>
  withDirectory(async (dir) => {
    const args = ["probe", "--data-dir", dir, "--quick", "--duration", "1"];
    const { code, stdout, stderr } = await cli(args);
    assertEquals([code, stderr], [0, ""], stdout);
    for (const { name } of PROMISES) {
      const mark = name === "nested-keys" ? "broken\\*" : "(kept|not tested)";
      assert(new RegExp(`^${mark} +${name} `, "m").test(stdout), `${name}: ${stdout}`);
    }
    for (const size of ["1 KiB", "64 KiB", "1 MiB", "4 MiB"]) {
      assert(new RegExp(`^create +${size} +1 +\\d+ +[\\d.]+`, "m").test(stdout), stdout);
      assert(new RegExp(`^get +${size} +1 +\\d+ +[\\d.]+`, "m").test(stdout), stdout);
    }
    assertStringIncludes(
      stdout,
      "\nThe store can carry a log, with weaknesses that it can live with: nested-keys.\n",
    );
    assertEquals(await keysIn(dir), []);
  }));

Deno.test("probe --json prints one object", async () => {
  const { code, stdout } = await cli([
    ...["probe", "--storage", "memory", "--quick", "--duration", "1", "--json"],
    ...["--namespace", "a/b", "--flush-interval-ms", "250"],
  ]);
  const { storage, prefix, fit, verdict, advice, promises, figures } = JSON.parse(stdout);
  assertEquals([code, fit, storage, verdict], [0, true, "memory", "The store can carry a log."]);
  assert(/^a\/b\/\.probe\/run-[0-9a-f-]+\/$/.test(prefix), prefix);
  assertEquals(
    promises.map(({ name }: { name: string }) => name),
    PROMISES.map(({ name }) => name),
  );
  assertEquals(figures.length, 10);
  assertStringIncludes(advice.join("\n"), "KAFSCALE_FLUSH_INTERVAL_MS=1 would cut that");
});

/** Runs `probe` on a driver of one's own: the example, with what `change` makes of its store. */
async function probeChanged(dir: string, change: string) {
  // plain JavaScript, which a compiled program loads, too
  const path = `${dir}/changed.js`;
  await Deno.writeTextFile(
    path,
    `import { openObjectStore as open } from "${EXAMPLE}";
    export const openObjectStore = async (options) => {
      const { StoreError } = options;
      const store = await open(options);
      ${change}
      return store;
    };`,
  );
  return await cli(["probe", "--storage", path, "--data-dir", dir]);
}

Deno.test("probe refuses a store without conditional writes at once, and says so", () =>
  withDirectory(async (dir) => {
    const { code, stdout, stderr } = await probeChanged(
      dir,
      'store.putIfAbsent = async (key, body) => (await store.put(key, body), "created");',
    );
    assertEquals(code, 1);
    assertEquals(
      stdout.split("\n").slice(2),
      [
        "broken      create-once       A key is created once: a second conditional create is " +
        "told that it exists.",
        '                              the second create: "created" instead of "exists"',
        "",
        "The store lacks working conditional writes (If-None-Match): the second create: " +
        '"created" instead of "exists"; use one that has them.',
        "",
      ],
      stderr,
    );
  }));

Deno.test("probe says why a store cannot be used", () =>
  withDirectory(async (dir) => {
    const { code, stdout, stderr } = await probeChanged(
      dir,
      `store.put = store.putIfAbsent =
        () => Promise.reject(new StoreError("fatal", "access denied"));`,
    );
    assertEquals(
      [code, stdout.trimEnd().split("\n").at(-1)],
      [1, "The store cannot be used: access denied."],
      stderr,
    );
  }));

Deno.test("probe that is interrupted removes what it wrote", () =>
  withDirectory(async (dir) => {
    const child = spawnCli(["probe", "--data-dir", dir, "--full"]);
    const decoder = new TextDecoder();
    let out = "";
    for await (const chunk of child.stdout) {
      out += decoder.decode(chunk, { stream: true });
      // in the midst of the long listing
      if (!out.includes("delete-many")) continue;
      await new Promise((resolve) => setTimeout(resolve, 100));
      child.kill("SIGINT");
      break;
    }
    const err = await new Response(child.stderr).text();
    assertEquals((await child.status).code, 130);
    assertStringIncludes(err, "interrupted: removing what is below default/.probe/run-");
    assertEquals(await keysIn(dir), []);
  }));

Deno.test("probe takes --quick or --full", async () => {
  const { code, stderr } = await cli(["probe", "--quick", "--full"]);
  assertEquals([code, stderr], [2, "kafscale probe: --quick or --full, not both\n"]);
});

const minio = await minioForFile("kafscale probe on MinIO");

for (const storage of minio === undefined ? [] : ["s3", "minio"]) {
  Deno.test(`probe tells what a bucket keeps, and leaves nothing in it (${storage})`, async () => {
    const env = { ...minio!.settings(await minio!.bucket()), KAFSCALE_STORAGE: storage };
    const { code, stdout, stderr } = await cli(["probe", "--quick", "--duration", "1"], { env });
    assertEquals([code, stderr], [0, ""], stdout);
    const notKept = stdout.split("\n").filter((line) => /^(broken|not tested)/.test(line));
    assertEquals(notKept.map((line) => line.split(/ +/, 2).join(" ")), ["broken* long-key-parts"]);
    assertEquals(await cli(["dump", "--list"], { env }), { code: 0, stdout: "", stderr: "" });
  });

  Deno.test(`probe says in a sentence what is wrong with the settings (${storage})`, async () => {
    const env = { ...minio!.settings("no-such-bucket"), KAFSCALE_STORAGE: storage };
    const { code, stdout } = await cli(["probe", "--quick"], { env });
    assertEquals(code, 1);
    assertStringIncludes(
      stdout,
      "\nThe store cannot be used: create default/.probe/run-",
    );
    assertStringIncludes(
      stdout,
      ": the bucket no-such-bucket does not exist: create it or correct KAFSCALE_S3_BUCKET",
    );
  });
}
