import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { COMMANDS } from "../../plugins/cli/mod.ts";
import { parseArguments } from "../../plugins/cli/arguments.ts";
import { commandHelp } from "../../plugins/cli/help.ts";
import { cli, withDirectory } from "./run_cli.ts";

Deno.test("--help lists every command, and every command has a help with examples", async () => {
  const { code, stdout } = await cli(["--help"]);
  assertEquals(code, 0);
  for (const [name, entry] of COMMANDS) {
    assertStringIncludes(stdout, name);
    const { command } = await entry.load();
    const help = commandHelp(command);
    assertStringIncludes(help, `Usage: kafscale ${name}`);
    assertStringIncludes(help, "Examples:");
    for (const line of help.split("\n")) assert(line.length <= 100, line);
    assert(parseArguments(command, ["--help"]).on("help"));
  }
});

Deno.test("a command line that is wrong exits with 2 and names the nearest", async () => {
  assertEquals(await cli(["produse"]), {
    code: 2,
    stdout: "",
    stderr: "kafscale: unknown command produse; did you mean produce?\n",
  });
  assertEquals(await cli(["start", "--broker-adr", ":1"]), {
    code: 2,
    stdout: "",
    stderr: "kafscale start: unknown flag --broker-adr; did you mean --broker-addr?\n",
  });
  assertEquals((await cli(["produce"])).stderr, "kafscale produce: TOPIC is missing\n");
  assertEquals(
    (await cli(["topics", "descrbe", "x"])).stderr,
    "kafscale topics: unknown action descrbe; did you mean describe?\n",
  );
});

Deno.test("a setting that is wrong exits with 1 and one sentence", async () => {
  assertEquals(await cli(["start", "--broker-id", "minus one"]), {
    code: 1,
    stdout: "",
    stderr: "kafscale start: --broker-id must be a whole number from 0 to 2147483647; " +
      'got "minus one"\n',
  });
});

Deno.test("start refuses drivers that are unknown", async () => {
  const run = async (name: string) => {
    const { code, stderr } = await cli(["start", "--storage", name, "--metadata", "memory"]);
    assertEquals(code, 1);
    return stderr.trimEnd().split("\n").at(-1);
  };
  assertEquals(
    await run("fil"),
    "kafscale start: KAFSCALE_STORAGE names no driver: fil; did you mean file?; " +
      "a module is named by its path (./my_driver.ts)",
  );
  assertEquals(
    await run("./nowhere.ts"),
    "kafscale start: KAFSCALE_STORAGE names the module ./nowhere.ts, which does not exist",
  );
});

Deno.test("config shows values and where they came from", () =>
  withDirectory(async (dir) => {
    const file = `${dir}/broker.json`;
    await Deno.writeTextFile(file, JSON.stringify({ brokerId: 4, rack: "a" }));
    const { code, stdout, stderr } = await cli(
      ["config", "--json", "--config", file, "--wal-bytes", "64MiB"],
      { env: { KAFSCALE_RACK: "b", KAFSCALE_RAK: "c" } },
    );
    assertEquals(code, 0);
    const shown = JSON.parse(stdout);
    assertEquals(shown.brokerId, { value: 4, source: "file" });
    assertEquals(shown.rack, { value: "b", source: "environment" });
    assertEquals(shown.walBytes, { value: 67108864, source: "flag" });
    assertEquals(shown.dataDir, { value: "./data", source: "default" });
    assertEquals(
      stderr,
      "warning: unknown setting KAFSCALE_RAK has no effect; did you mean KAFSCALE_RACK?\n",
    );
    const text = await cli(["config", "--config", file]);
    assert(/^KAFSCALE_BROKER_ID +4 +file$/m.test(text.stdout), text.stdout);
  }));

Deno.test("config says what is wrong with its file", () =>
  withDirectory(async (dir) => {
    const missing = await cli(["config", "--config", `${dir}/none.json`]);
    assertEquals(missing.code, 1);
    assertStringIncludes(missing.stderr, "does not exist; name an existing one with --config");
    await Deno.writeTextFile(`${dir}/bad.json`, "{");
    const bad = await cli(["config"], { env: { KAFSCALE_CONFIG: `${dir}/bad.json` } });
    assertEquals(bad.code, 1);
    assertStringIncludes(bad.stderr, "bad.json is not valid JSON");
  }));

Deno.test("a storage setting may name a module by its path", () =>
  withDirectory(async (dir) => {
    const path = `${dir}/my_store.ts`;
    await Deno.writeTextFile(
      path,
      "export const openObjectStore = () => ({\n" +
        "  async *list() { yield { key: 'mine', size: 3 }; },\n" +
        "  close: async () => {},\n" +
        "});\n",
    );
    const listed = await cli(["dump", "--list", "--storage", path]);
    assertEquals([listed.code, listed.stdout], [0, "mine  3\n"], listed.stderr);
    await Deno.writeTextFile(path, "export const nothing = 1;\n");
    const wrong = await cli(["dump", "--list", "--storage", path]);
    assertEquals([wrong.code, wrong.stderr], [
      1,
      `kafscale dump: the module ${path} that KAFSCALE_STORAGE names must export ` +
      "openObjectStore(options)\n",
    ]);
  }));

Deno.test("version prints KafScale's and Deno's", async () => {
  const { code, stdout } = await cli(["version", "--json"]);
  assertEquals(code, 0);
  assertEquals(Object.keys(JSON.parse(stdout)), ["kafscale", "commit", "deno", "v8"]);
});

Deno.test("client commands say in one sentence that no broker is there", async () => {
  const { code, stderr } = await cli(["topics", "list", "-b", "127.0.0.1:1"]);
  assertEquals([code, stderr], [
    1,
    "kafscale topics: cannot reach a broker at 127.0.0.1:1; start one, or name another with " +
    "--bootstrap-server\n",
  ]);
});
