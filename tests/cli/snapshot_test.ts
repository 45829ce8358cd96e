/** `kafscale snapshot`, and the drill: metadata destroyed, restored, everything back. */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { openEtcdMetadata } from "../../drivers/metadata/etcd/driver.ts";
import { haveTools } from "../clients/requirement.ts";
import { etcdSettings, quietRuntime } from "../metadata/etcd_scene.ts";
import { Etcd } from "../services/etcd.ts";
import { cli, type CliBroker, startBroker, withDirectory } from "./run_cli.ts";

async function done(args: readonly string[], env: Record<string, string> = {}): Promise<string> {
  const { code, stdout, stderr } = await cli(args, { env });
  assertEquals(code, 0, stderr);
  return stdout;
}

async function kcat(broker: CliBroker, args: string, input = ""): Promise<string> {
  const child = new Deno.Command("kcat", {
    args: ["-b", broker.bootstrap, ...args.split(" ")],
    stdin: "piped",
    stdout: "piped",
    stderr: "null",
  }).spawn();
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode(input));
  await writer.close();
  const { code, stdout } = await child.output();
  assertEquals(code, 0, `kcat ${args}`);
  return new TextDecoder().decode(stdout);
}

Deno.test("snapshot create, list, verify and restore work on embedded metadata", async () => {
  await withDirectory(async (dir) => {
    const broker = await startBroker(dir);
    const topic = ["topics", "create", "kept", "--partitions", "3", "-b", broker.bootstrap];
    await done(topic);
    const busy = await cli(["snapshot", "create", "--data-dir", dir]);
    assertEquals(busy.code, 1);
    assertMatch(busy.stderr, /^kafscale snapshot: another process writes to the directory/);
    const file = `${dir}/metadata.ksms`;
    const made = await done(["snapshot", "create", "--file", file, "--data-dir", dir]);
    assertMatch(made, /metadata\.ksms {2}\d+ bytes\n$/);
    await broker.stop();
    const twice = await cli(["snapshot", "create", "--file", file, "--data-dir", dir]);
    assertMatch(twice.stderr, /^kafscale snapshot: there is a file .*: name a new one\n$/);
    const at = ["--data-dir", dir];
    assertMatch((await cli(["snapshot", "verify", ...at])).stderr, /there is no snapshot below/);
    for (let round = 0; round < 3; round++) {
      await done(["snapshot", "create", "--keep", "2", ...at]);
    }
    const listed = JSON.parse(await done(["snapshot", "list", "--json", ...at]));
    assertEquals(listed.length, 2);
    for (const { key, createdMs } of listed) {
      assertMatch(key, /^etcd-snapshots\/default\/metadata-\d{8}T\d{9}Z\.ksms$/);
      assert(Math.abs(Date.now() - createdMs) < 120_000);
    }
    const verified = JSON.parse(await done(["snapshot", "verify", "--json", ...at]));
    assertEquals(verified.key, listed[1].key);
    assertEquals(verified.counts, { "brokers": 1, "cluster": 1, "topics/live": 1 });
    const refused = await cli(["snapshot", "restore", "latest", ...at]);
    assertMatch(refused.stderr, /the metadata store holds 3 keys, .* say --force\n$/);
    for (const key of [listed[0].key, file]) {
      await done(["snapshot", "restore", key, "--force", ...at]);
      const again = await startBroker(dir);
      assertEquals(await done(["topics", "list", "-b", again.bootstrap]), "kept\n");
      await again.stop();
    }
  });
});

Deno.test("snapshot restore refuses a damaged file and changes nothing", async () => {
  await withDirectory(async (dir) => {
    const broker = await startBroker(dir);
    await done(["topics", "create", "kept", "-b", broker.bootstrap]);
    await broker.stop();
    await Deno.writeTextFile(`${dir}/damaged`, "no snapshot");
    const at = ["--data-dir", dir];
    for (const args of [["verify", `${dir}/damaged`], ["restore", `${dir}/damaged`, "--force"]]) {
      const { code, stderr } = await cli(["snapshot", ...args, ...at]);
      assertEquals(code, 1);
      assertMatch(stderr, /^kafscale snapshot: not a usable metadata snapshot: /);
    }
    const again = await startBroker(dir);
    assertEquals(await done(["topics", "list", "-b", again.bootstrap]), "kept\n");
    await again.stop();
  });
});

if (haveTools("restore drill", "etcd", "kcat")) {
  Deno.test("restore drill: etcd is destroyed, and all is back, later records too", async () => {
    await withDirectory(async (dir) => {
      const endpoints = (etcd: Etcd) => ["--etcd-endpoints", etcd.list, "--data-dir", dir];
      const describe = async ({ bootstrap }: CliBroker) => {
        const told = await done(["topics", "describe", "a", "--json", "-b", bootstrap]);
        const { id, configs, partitions } = JSON.parse(told);
        return { id, configs, partitions: partitions.length };
      };
      const group = "-G g -X auto.offset.reset=earliest -q -c";
      const before = await (async () => {
        await using etcd = await Etcd.start();
        const first = await startBroker(dir, endpoints(etcd));
        const create = [
          "topics",
          "create",
          "a",
          "--partitions",
          "2",
          "-c",
          "retention.ms=86400000",
        ];
        await done([...create, "-b", first.bootstrap]);
        await kcat(first, "-P -t a -p 0", "1\n2\n3\n");
        assertEquals(await kcat(first, `${group} 2 a`), "1\n2\n");
        const described = await describe(first);
        assertEquals(await first.stop(), 0);
        await done(["snapshot", "create", ...endpoints(etcd)]);
        // what the snapshot knows nothing of: a broker's life and its records
        const second = await startBroker(dir, endpoints(etcd));
        await kcat(second, "-P -t a -p 0", "4\n");
        await second.stop("SIGKILL");
        return described;
      })();
      await using etcd = await Etcd.start();
      const empty = await cli(["start", "--broker-addr", "127.0.0.1:0", ...endpoints(etcd)]);
      assertEquals(empty.code, 1);
      assertMatch(empty.stderr, /but metadata is empty: restore a snapshot of the metadata/);
      await done(["snapshot", "restore", "latest", "--force", ...endpoints(etcd)]);
      const third = await startBroker(dir, endpoints(etcd));
      assertEquals(await describe(third), before);
      assertEquals(await kcat(third, "-C -t a -p 0 -o beginning -e -q"), "1\n2\n3\n4\n");
      assertEquals(await kcat(third, `${group} 2 a`), "3\n4\n");
      assert(
        third.log.some(({ msg }) => String(msg).startsWith("metadata was restored")),
      );
      assertEquals(await third.stop(), 0);
    });
  });

  Deno.test("a snapshot of one driver's metadata restores into another's", async () => {
    await withDirectory(async (dir) => {
      const broker = await startBroker(dir);
      await done(["topics", "create", "moved", "-b", broker.bootstrap]);
      await broker.stop();
      await done(["snapshot", "create", "--data-dir", dir]);
      await using etcd = await Etcd.start();
      await done([
        "snapshot",
        "restore",
        "latest",
        "--data-dir",
        dir,
        "--etcd-endpoints",
        etcd.list,
      ]);
      const settings = etcdSettings(etcd, { prefix: "kafscale" });
      const metadata = await openEtcdMetadata(settings, quietRuntime());
      const { entries } = await metadata.list("topics/live/");
      assertEquals(entries.map(({ key }) => key), ["topics/live/moved"]);
      await metadata.close();
    });
  });
}
