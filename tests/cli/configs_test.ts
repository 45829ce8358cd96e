import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { cli, startBroker, withDirectory } from "./run_cli.ts";

Deno.test("configs describes, sets and unsets, and asks first with --dry-run", () =>
  withDirectory(async (dir) => {
    const broker = await startBroker(dir);
    const at = ["-b", broker.bootstrap];
    const configs = async (...args: string[]) => {
      const { code, stdout, stderr } = await cli(["configs", ...args, ...at]);
      return { code, stdout, stderr };
    };
    const retention = async () =>
      JSON.parse((await configs("describe", "topic", "t", "retention.ms", "--json")).stdout);
    await cli(["topics", "create", "t", ...at]);
    const nothing = "topic t: everything at its default; --all shows it\n";
    assertEquals((await configs("describe", "topic", "t")).stdout, nothing);

    const asked = await configs("set", "topic", "t", "retention.ms=1000", "--dry-run");
    assertEquals(asked.stdout, "topic t: would be taken: retention.ms=1000\n");
    assertEquals((await configs("describe", "topic", "t")).stdout, nothing);
    await configs("set", "topic", "t", "retention.ms=1000", "segment.bytes=1048576");
    await configs("unset", "topic", "t", "segment.bytes");
    assertEquals(
      (await configs("describe", "topic", "t")).stdout,
      "NAME          VALUE  FROM\nretention.ms  1000   topic\n",
    );
    const wanted = { name: "retention.ms", value: "1000", source: "topic", readOnly: false };
    assertEquals(await retention(), [wanted]);
    const all = JSON.parse((await configs("describe", "topic", "t", "--all", "--json")).stdout);
    assert(all.length > 20);

    const refused = await configs("set", "topic", "t", "retention.ms=never");
    assertEquals(refused.code, 1);
    assertStringIncludes(refused.stderr, "kafscale configs: the broker answered INVALID_CONFIG");
    const missing = await configs("describe", "topic", "nothing");
    assertEquals(missing.code, 1);
    assertStringIncludes(missing.stderr, "UNKNOWN_TOPIC_OR_PARTITION");
    assertStringIncludes((await configs("describe", "broker", "0")).stdout, "listeners");
    const words = await configs("unset", "topic", "t", "retention.ms=1");
    assertEquals([words.code, words.stderr], [
      2,
      'kafscale configs: unset takes KEY; got "retention.ms=1"\n',
    ]);
    assertEquals(await retention(), [wanted]);
    assertEquals(await broker.stop(), 0);
  }));

Deno.test("configs names the nearest kind", async () => {
  const { code, stderr } = await cli(["configs", "describe", "topics", "t"]);
  assertEquals([code, stderr], [
    2,
    "kafscale configs: unknown kind topics; did you mean topic?\n",
  ]);
});
