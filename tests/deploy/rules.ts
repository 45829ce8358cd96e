/** The alerts that ship with the broker, for tests. */
import { assert } from "@std/assert";

const RULES = new URL("../../deploy/prometheus/", import.meta.url);

/** Runs promtool beside the rules; it must find nothing wrong. */
export async function promtool(...args: string[]): Promise<void> {
  const { success, stdout, stderr } = await new Deno.Command("promtool", { args, cwd: RULES })
    .output();
  assert(success, new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr));
}

/** The alerts on a broker's metrics; what fires after minutes fires after a second here. */
export async function impatientRules(): Promise<string> {
  const rules = await Deno.readTextFile(new URL("kafscale.rules.yaml", RULES));
  return rules.replaceAll(/for: \w+/g, "for: 1s").replaceAll(/\[(\d+)m\]/g, "[10s]");
}
