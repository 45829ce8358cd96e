/**
 * `deno run -A bench/binary.ts [FILE] [RUNS]`: a compiled broker (dist/kafscale, 15 runs): size,
 * `--version`, start to listening on an empty directory, memory when idle; medians. Memory is also
 * measured with the malloc settings of the start task, which service files can set and a binary
 * cannot set for itself.
 */
import { startTask } from "../tests/services/start_task.ts";
import { figure, median, MIB, table } from "./figures.ts";
import { startPeer } from "./peers.ts";
import { memory } from "./process_figures.ts";

/** By then what start-up leaves to do is done. */
const SETTLED_MS = 3000;

async function versionMs(file: string): Promise<number> {
  const started = performance.now();
  const { success } = await new Deno.Command(file, { args: ["--version"] }).output();
  if (!success) throw new Error(`${file} --version failed`);
  return performance.now() - started;
}

/** Start to listening; with `settledMs`, resident memory so long after it. */
async function start(env: Record<string, string>, settledMs?: number) {
  const dataDir = await Deno.makeTempDir({ prefix: "kafscale-bench-" });
  try {
    const peer = await startPeer("kafscale", { dataDir, env });
    if (settledMs !== undefined) await new Promise((resolve) => setTimeout(resolve, settledMs));
    const residentMib = memory(peer.pid).residentBytes / MIB;
    await peer.stop();
    return { startMs: peer.startMs, residentMib };
  } finally {
    await Deno.remove(dataDir, { recursive: true });
  }
}

const file = await Deno.realPath(Deno.args[0] ?? "dist/kafscale");
const runs = Number(Deno.args[1] ?? 15);
Deno.env.set("KAFSCALE_BENCH_BINARY", file);
const versions: number[] = [];
const starts: number[] = [];
for (let run = 0; run < runs; run++) {
  versions.push(await versionMs(file));
  starts.push((await start({})).startMs);
}
const idle = await start({}, SETTLED_MS);
const capped = await start(startTask().env, SETTLED_MS);
console.log(table([
  ["size, MB", figure((await Deno.stat(file)).size / 1e6)],
  ["--version, ms", figure(median(versions))],
  ["start to listening, ms", figure(median(starts))],
  ["idle memory, MiB", figure(idle.residentMib)],
  ["idle memory with MALLOC_* of the start task, MiB", figure(capped.residentMib)],
]));
