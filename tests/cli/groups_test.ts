import {
  assert,
  assertEquals,
  assertRejects,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import { askCoordinator } from "../../plugins/cli/client.ts";
import { parseDateTime, parseDuration } from "../../plugins/cli/groups/reset_mode.ts";
import { askedOffset, parseOffsetsFile, parseScope } from "../../plugins/cli/groups/reset_plan.ts";
import { cli, spawnCli, startBroker, withDirectory } from "./run_cli.ts";

const HOUR_MS = 3_600_000;

Deno.test("parseDuration() reads ISO 8601 days to seconds and nothing else", () => {
  assertEquals(parseDuration("P1DT2H30M5.5S"), (26 * 3600 + 30 * 60 + 5.5) * 1000);
  assertEquals(parseDuration("PT0S"), 0);
  assertEquals(parseDuration("P2D"), 48 * HOUR_MS);
  for (const wrong of ["", "P", "PT", "1D", "P1H", "PT1D", "P1Y", "PT5", "P1DT", "-PT1S"]) {
    assertThrows(() => parseDuration(wrong), Error, "P1DT2H30M5S");
  }
});

Deno.test("parseDateTime() takes UTC unless a zone is given", () => {
  assertEquals(parseDateTime("2025-03-01T08:30:00.250"), Date.UTC(2025, 2, 1, 8, 30, 0, 250));
  assertEquals(parseDateTime("2025-03-01T08:30"), Date.UTC(2025, 2, 1, 8, 30));
  assertEquals(parseDateTime("2025-03-01T08:30:00Z"), Date.UTC(2025, 2, 1, 8, 30));
  assertEquals(parseDateTime("2025-03-01T08:30:00.000+01:00"), Date.UTC(2025, 2, 1, 7, 30));
  assertEquals(parseDateTime("2025-03-01T08:30:00-0130"), Date.UTC(2025, 2, 1, 10, 0));
  for (const wrong of ["2025-03-01", "2025-13-01T00:00:00", "08:30", "yesterday"]) {
    assertThrows(() => parseDateTime(wrong), Error, "2025-03-01T08:30:00.000");
  }
});

Deno.test("parseScope() reads topics and their partitions", () => {
  assertEquals([...parseScope(["a", "b:0,12"])], [["a", "all"], ["b", [0, 12]]]);
  for (const wrong of ["", "a:", "a:x", "a:1,", ":1"]) assertThrows(() => parseScope([wrong]));
});

Deno.test("parseOffsetsFile() reads Kafka's CSV, with groups and without", () => {
  const offset = { topic: "t", partition: 1, offset: 23 };
  assertEquals(parseOffsetsFile('"t",1,23\r\n\n'), [{ group: undefined, ...offset }]);
  assertEquals(parseOffsetsFile('"g", "t",1, 23'), [{ group: "g", ...offset }]);
  for (const wrong of ["t,1", "t,1,-1", "t,x,1", "a,g,t,1,2", ",1,2"]) {
    assertThrows(() => parseOffsetsFile(wrong), Error, "line 1");
  }
});

Deno.test("askedOffset() finds the offset of every mode", () => {
  const known = { start: 10, end: 90, atTime: 40, current: 50, named: 77 };
  assertEquals(askedOffset({ kind: "earliest" }, known), 10);
  assertEquals(askedOffset({ kind: "latest" }, known), 90);
  assertEquals(askedOffset({ kind: "current" }, known), 50);
  assertEquals(askedOffset({ kind: "current" }, { ...known, current: null }), 90);
  assertEquals(askedOffset({ kind: "offset", offset: 5 }, known), 5);
  assertEquals(askedOffset({ kind: "shift", by: -60 }, known), -10);
  assertEquals(askedOffset({ kind: "shift", by: 1 }, { ...known, current: null }), undefined);
  assertEquals(askedOffset({ kind: "time", ms: 0 }, known), 40);
  assertEquals(askedOffset({ kind: "time", ms: 0 }, { ...known, atTime: -1 }), 90);
  assertEquals(askedOffset({ kind: "file", name: "f" }, known), 77);
});

Deno.test("askCoordinator() asks again while there is no coordinator, and no longer", async () => {
  const answer = (apiId: string) => Object.assign(new Error(apiId), { apiId });
  const asked = (apiIds: string[], forMs?: number) =>
    askCoordinator(() => {
      const apiId = apiIds.shift();
      if (apiId === undefined) return Promise.resolve("done");
      return Promise.reject(new Error("outer", { cause: answer(apiId) }));
    }, forMs);
  assertEquals(await asked(["NOT_COORDINATOR", "COORDINATOR_LOAD_IN_PROGRESS"]), "done");
  const refused = ["GROUP_ID_NOT_FOUND", "NOT_COORDINATOR"];
  await assertRejects(() => asked(refused), Error, "outer");
  assertEquals(refused, ["NOT_COORDINATOR"]);
  await assertRejects(() => asked(["NOT_COORDINATOR"], -1), Error, "outer");
});

Deno.test("groups shows lag, moves offsets only with --execute, and deletes", () =>
  withDirectory(async (dir) => {
    const broker = await startBroker(dir, ["--group-initial-rebalance-delay-ms", "0"]);
    const at = ["-b", broker.bootstrap];
    const groups = async (...args: string[]) => {
      const { code, stdout, stderr } = await cli(["groups", ...args, ...at]);
      return { code, lines: stdout.trimEnd().split("\n"), stderr };
    };
    const committed = async () => {
      const { lines } = await groups("describe", "g", "--json");
      return JSON.parse(lines[0]!)[0].partitions.map((each: { committed: number }) =>
        each.committed
      );
    };
    await cli(["topics", "create", "t", "-p", "2", ...at]);
    for (const partition of ["0", "1"]) {
      await cli(["produce", "t", "-p", partition, ...at], { stdin: "1\n2\n3\n4\n" });
    }
    await cli(["consume", "t", "-g", "g", "--from-beginning", "-n", "8", ...at]);
    assertEquals((await groups("list")).lines, ["GROUP  STATE  TYPE", "g      Empty  classic"]);
    assertEquals((await groups("describe", "g")).lines, [
      "g  Empty  0 members  lag 0",
      "TOPIC  PARTITION  COMMITTED  END  LAG  CLIENT  HOST  MEMBER",
      "t              0          4    4    0",
      "t              1          4    4    0",
    ]);

    const dry = await groups("reset", "g", "--to-offset", "1", "--topic", "t:1");
    assertEquals(dry.lines, [
      "GROUP  TOPIC  PARTITION  COMMITTED  NEW  CHANGE",
      "g      t              1          4    1      -3",
      "nothing was changed; --execute does it",
    ]);
    assertEquals(await committed(), [4, 4]);
    const done = await groups("reset", "g", "--to-offset", "1", "--topic", "t:1", "--execute");
    assertEquals([done.code, done.lines.at(-1)], [0, "done"]);
    assertEquals(await committed(), [4, 1]);
    await groups("reset", "g", "--shift-by", "-9", "--all-topics", "--execute");
    assertEquals(await committed(), [0, 0]);

    const exported = await groups("reset", "g", "--to-latest", "--topic", "t", "--export");
    assertEquals(exported.lines, ['"t",0,4', '"t",1,4']);
    await Deno.writeTextFile(`${dir}/offsets.csv`, '"t",0,2\nt,1,9\n');
    const fromFile = await groups("reset", "g", "--from-file", `${dir}/offsets.csv`, "--execute");
    assertStringIncludes(fromFile.lines[2]!, "the log has no offset 9");
    assertEquals(await committed(), [2, 4]);

    assertEquals((await groups("describe", "g")).lines[0], "g  Empty  0 members  lag 2");
    const member = spawnCli(["consume", "t", "-g", "g", ...at]);
    const reading = member.output();
    for (let state = ""; state !== "Stable";) {
      state = JSON.parse((await groups("describe", "g", "--json")).lines[0]!)[0].state;
    }
    const held = (await groups("describe", "g")).lines;
    // it commits what it reads when it has been at it for five seconds
    assert(/^g {2}Stable \(\w+\) {2}1 member {2}lag [02]$/.test(held[0]!), held[0]);
    let ended = false;
    void reading.then(() => ended = true);
    // it is still a member then, having sent a heartbeat
    while (!ended && (await committed()).join() !== "4,4");
    assert(held[2]!.includes("kafscale-cli  127.0.0.1  kafscale-cli-"), held[2]);
    const busy = await groups("reset", "g", "--to-latest", "--all-topics", "--execute");
    assertEquals(busy.code, 1);
    assertEquals(
      busy.stderr,
      "kafscale groups: stop the members of g first: they would overwrite it\n",
    );
    assertEquals((await groups("reset", "g", "--to-latest", "--all-topics")).code, 0);
    const early = await Promise.race([reading, Promise.resolve(undefined)]);
    if (early !== undefined) throw new Error(new TextDecoder().decode(early.stderr));
    member.kill("SIGINT");
    const left = await reading;
    assertEquals(left.code, 0, new TextDecoder().decode(left.stderr));

    assertEquals((await groups("delete", "g")).lines, ["deleted g"]);
    assertEquals((await groups("list", "--json")).lines, ["[]"]);
    const gone = await groups("describe", "g");
    assertEquals([gone.code, gone.stderr], [
      1,
      "kafscale groups: there is no group g; see groups list\n",
    ]);
    assertEquals(await broker.stop(), 0);
  }));

Deno.test("groups reset asks for what is missing before it asks the broker", async () => {
  const refused = async (...args: string[]) => {
    const { code, stderr } = await cli(["groups", "reset", "g", "-b", "127.0.0.1:1", ...args]);
    assertEquals(code, 2, stderr);
    return stderr.slice("kafscale groups: ".length, -1);
  };
  assertStringIncludes(await refused("--all-topics"), "where to? one of --to-earliest");
  assertEquals(
    await refused("--to-latest", "--to-offset", "3", "--all-topics"),
    "--to-latest or --to-offset, not both",
  );
  assertEquals(
    await refused("--to-latest"),
    "which topics? --topic NAME[:0,1], or --all-topics",
  );
  assertEquals(
    await refused("--from-file", "f.csv", "--topic", "t"),
    "--from-file names the topics itself",
  );
});
