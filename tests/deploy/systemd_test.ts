/** The service unit by systemd's own checks, and its example settings by ours. */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { resolveConfig } from "../../core/config/mod.ts";
import { haveTools } from "../clients/requirement.ts";
import { startTask } from "../services/start_task.ts";

const UNIT = new URL("../../deploy/systemd/kafscale.service", import.meta.url);
const SETTINGS = new URL("../../deploy/systemd/kafscale.env", import.meta.url);

/** systemd's measure of what a service could harm, times ten: 14 is good, 96 has no limits. */
const EXPOSURE_MAX = 14;

/** `NAME=VALUE` lines; with `commented`, those behind a # too. */
export function environmentFile(text: string, commented: boolean): Record<string, string> {
  const pattern = commented ? /^#?([A-Z_0-9]+)=(.*)$/gm : /^([A-Z_0-9]+)=(.*)$/gm;
  return Object.fromEntries([...text.matchAll(pattern)].map(([, name, value]) => [name!, value!]));
}

async function analyze(...args: string[]) {
  const command = new Deno.Command("systemd-analyze", { args, env: { SYSTEMD_COLORS: "0" } });
  const { success, stdout, stderr } = await command.output();
  const decoder = new TextDecoder();
  return { success, text: decoder.decode(stdout) + decoder.decode(stderr) };
}

if (haveTools("systemd", "systemd-analyze")) {
  Deno.test("kafscale.service is a valid unit that could harm little", async () => {
    const folder = await Deno.makeTempDir({ prefix: "kafscale-unit-" });
    try {
      // the check wants the program to exist
      const unit = (await Deno.readTextFile(UNIT)).replace("/usr/local/bin/kafscale", "/bin/true");
      await Deno.writeTextFile(`${folder}/kafscale.service`, unit);
      const { success, text } = await analyze("verify", `${folder}/kafscale.service`);
      assert(success, text);
      // systemd warns of directives that it doesn't know, and goes on
      assert(!text.includes("kafscale.service:"), text);
      const security = await analyze(
        "security",
        "--offline=true",
        `--threshold=${EXPOSURE_MAX}`,
        `${folder}/kafscale.service`,
      );
      assert(security.success, security.text);
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  });
}

Deno.test("kafscale.service runs as nobody in particular, and sets what start needs", async () => {
  const text = await Deno.readTextFile(UNIT);
  const directives = new Map<string, string[]>();
  for (const [, name, value] of text.matchAll(/^(\w+)=(.*)$/gm)) {
    directives.set(name!, [...directives.get(name!) ?? [], value!]);
  }
  const wanted = {
    ExecStart: "/usr/local/bin/kafscale start",
    DynamicUser: "yes",
    StateDirectory: "kafscale",
    NoNewPrivileges: "yes",
    ProtectSystem: "strict",
    CapabilityBoundingSet: "",
    Restart: "on-failure",
    KillMode: "mixed",
  };
  for (const [name, value] of Object.entries(wanted)) {
    assertEquals(directives.get(name), [value], name);
  }
  // V8 writes machine code while it runs
  assertEquals(directives.has("MemoryDenyWriteExecute"), false);
  const words = directives.get("Environment")!.flatMap((line) => line.split(" "));
  const environment = Object.fromEntries(words.map((word) => word.split("=")));
  for (const [name, value] of Object.entries(startTask().env)) {
    assertEquals(environment[name], value, `the start task sets ${name}`);
  }
  assertEquals(environment.KAFSCALE_DATA_DIR, "/var/lib/kafscale");
});

Deno.test("every setting of kafscale.env is one that start takes", async () => {
  const text = await Deno.readTextFile(SETTINGS);
  for (const commented of [false, true]) {
    const env = environmentFile(text, commented);
    assert(Object.keys(env).length > 0);
    const result = resolveConfig({ env, flags: {} });
    assert(result.ok, JSON.stringify(result));
    assertEquals(result.warnings, []);
  }
  assertMatch(await Deno.readTextFile(UNIT), /^EnvironmentFile=-\/etc\/kafscale\/kafscale\.env$/m);
});
