import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { cli, startBroker, withDirectory } from "./run_cli.ts";

function lines(text: string): string[] {
  return text.trimEnd().split("\n");
}

Deno.test("topics, produce, consume and dump work against a started broker", () =>
  withDirectory(async (dir) => {
    const broker = await startBroker(dir);
    const at = ["-b", broker.bootstrap];
    const run = async (args: string[], stdin?: string) => {
      const outcome = await cli([...args, ...at], stdin === undefined ? {} : { stdin });
      assertEquals(outcome.code, 0, outcome.stderr);
      return outcome;
    };
    const created = await run([
      "topics",
      "create",
      "clicks",
      "-p",
      "2",
      "-c",
      "retention.ms=90000",
    ]);
    assertEquals(created.stdout, "created clicks with 2 partitions\n");
    const again = await cli(["topics", "create", "clicks", ...at]);
    assertEquals(again.code, 1);
    assertStringIncludes(again.stderr, "TOPIC_ALREADY_EXISTS");

    const sent = await run(["produce", "clicks", "-K", ":", "-H", "from=test"], "a:1\nb:2\nc:3");
    assertEquals(sent.stderr, "sent 3 records to clicks\n");
    await run(["produce", "first"], "hello\n");
    assertEquals((await run(["topics", "list"])).stdout, "clicks\nfirst\n");

    const read = await run(["consume", "clicks", "--from-beginning", "-K", "="]);
    assertEquals(lines(read.stdout).sort(), ["a=1", "b=2", "c=3"]);
    const json = lines((await run(["consume", "clicks", "--from-beginning", "--json"])).stdout)
      .map((line) => JSON.parse(line));
    assertEquals(json.map(({ key }) => key).sort(), ["a", "b", "c"]);
    assertEquals(json[0].headers, [["from", "test"]]);

    const described = JSON.parse((await run(["topics", "describe", "clicks", "--json"])).stdout);
    assertEquals(described.configs, { "retention.ms": "90000" });
    const marks = described.partitions.map((each: { highWatermark: number }) => each.highWatermark);
    assertEquals(marks.reduce((sum: number, mark: number) => sum + mark), 3);

    const missing = await cli(["consume", "nothing", "--from-beginning", ...at]);
    assertEquals(missing.code, 1);
    assert(!(await run(["topics", "list"])).stdout.includes("nothing"));
    await run(["topics", "delete", "clicks"]);
    assertEquals((await run(["topics", "list"])).stdout, "first\n");
    assertEquals(await broker.stop(), 0);

    const listed = await cli(["dump", "--list", "--data-dir", dir]);
    const slots = lines(listed.stdout).filter((line) => line.includes(".wal  "));
    assert(slots.length > 0, listed.stdout + listed.stderr);
    const slot = await cli(["dump", slots[0]!.split("  ")[0]!, "--data-dir", dir]);
    assertEquals(slot.code, 0, slot.stderr);
    assertStringIncludes(slot.stdout, "WAL slot");
  }));

Deno.test("consume --group goes on where the group left off", () =>
  withDirectory(async (dir) => {
    const broker = await startBroker(dir, ["--group-initial-rebalance-delay-ms", "0"]);
    const at = ["-b", broker.bootstrap];
    await cli(["produce", "t", ...at], { stdin: "1\n2\n3\n" });
    const member = ["consume", "t", "--group", "g", "--from-beginning", ...at];
    assertEquals((await cli([...member, "-n", "2"])).stdout, "1\n2\n");
    assertEquals((await cli([...member, "-n", "1"])).stdout, "3\n");
    assertEquals(await broker.stop("SIGINT"), 0);
  }));

Deno.test("start logs JSON lines, one of them exactly where it listens", () =>
  withDirectory(async (dir) => {
    const broker = await startBroker(dir, ["--rack", "a"]);
    const listening = broker.log.filter(({ msg }) => /^broker listening on /.test(String(msg)));
    assertEquals(listening.map(({ msg }) => msg), [`broker listening on 127.0.0.1:${broker.port}`]);
    assertEquals((broker.log[0]!.settings as Record<string, unknown>).KAFSCALE_RACK, "a");
    assertEquals(await broker.stop(), 0);
    const produce = broker.log.find(({ produce }) => produce !== undefined)?.produce;
    assertEquals(produce, `echo hello | kcat -P -b 127.0.0.1:${broker.port} -t first`);
    assertEquals(broker.log.at(-1)?.msg, "stopped");
  }));

Deno.test("start refuses a directory that another broker uses", () =>
  withDirectory(async (dir) => {
    const broker = await startBroker(dir);
    const second = await cli(["start", "--broker-addr", "127.0.0.1:0", "--data-dir", dir]);
    assertEquals(second.code, 1);
    const last = lines(second.stderr).at(-1)!;
    assert(last.startsWith("kafscale start: "), second.stderr);
    assertStringIncludes(last, dir);
    assert(!second.stderr.includes("    at "), second.stderr);
    assertEquals(await broker.stop(), 0);
  }));

Deno.test("start refuses a port in use with one sentence", () =>
  withDirectory(async (dir) => {
    const taken = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const at = `127.0.0.1:${taken.addr.port}`;
    const { code, stderr } = await cli(["start", "--broker-addr", at, "--data-dir", dir]);
    taken.close();
    assertEquals(code, 1);
    const last = lines(stderr).at(-1)!;
    assertStringIncludes(last, at);
    assertStringIncludes(last, "in use");
    assert(!stderr.includes("    at "), stderr);
  }));

Deno.test("start refuses a data directory that it cannot make", () =>
  withDirectory(async (dir) => {
    await Deno.writeTextFile(`${dir}/file`, "");
    const { code, stderr } = await cli([
      "start",
      "--broker-addr",
      "127.0.0.1:0",
      "--data-dir",
      `${dir}/file/below`,
    ]);
    assertEquals(code, 1);
    const last = lines(stderr).at(-1)!;
    assert(last.startsWith("kafscale start: "), stderr);
    assertStringIncludes(last, `${dir}/file`);
    assert(!stderr.includes("    at "), stderr);
  }));
