/** What a killed broker left, looked at by the command that an operator has for it. */
import { assertEquals } from "@std/assert";
import { cli } from "../cli/run_cli.ts";
import { withTestStore } from "./test_store.ts";

/** Fails when `fsck --deep` finds damage in a data directory; a broker may be at work there. */
export async function assertWhole(dataDir: string): Promise<void> {
  const args = ["fsck", "--deep", "--json", "--data-dir", dataDir];
  const { code, stdout, stderr } = await cli(args, { env: withTestStore({}, dataDir) });
  if (code === 0) return;
  const { findings, counts } = JSON.parse(stdout || "{}");
  assertEquals([code, counts?.damage], [3, 0], JSON.stringify(findings, undefined, 1) + stderr);
}
