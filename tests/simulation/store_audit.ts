/**
 * `fsck` on the simulated bucket and metadata at one moment, while the world stands still: whatever
 * is under way, whoever has died or only sleeps, what is stored must be whole. Takes no virtual
 * time and draws no chance.
 */
import type { Config } from "../../core/config/mod.ts";
import { type Finding, fsck, type FsckReport, severityOf } from "../../core/fsck/mod.ts";
import type { Runtime } from "../../core/runtime/mod.ts";
import type { MemoryMetadata } from "../../drivers/metadata/memory/driver.ts";
import { type MemoryObjects, memoryStore } from "../../drivers/storage/memory/driver.ts";

export interface AuditedStore {
  readonly runtime: Runtime;
  readonly objects: MemoryObjects;
  readonly metadata: MemoryMetadata;
  readonly config: Config;
}

/** Ends within the present event of the loop. */
export function auditStore(o: AuditedStore): Promise<FsckReport> {
  const view = o.metadata.connect();
  return fsck({
    runtime: o.runtime,
    store: memoryStore(o.objects, o.runtime),
    metadata: () => Promise.resolve(view),
    config: o.config,
    depth: "deep",
    moving: false,
    signal: new AbortController().signal,
  });
}

/**
 * Sentences for what must not be at any moment; where all has been `swept` orphans neither, nor
 * entries of deleted topics in chains whose broker is dead.
 */
export function auditProblems({ findings }: FsckReport, swept: boolean, alone: boolean): string[] {
  const passing = (each: Finding) =>
    severityOf(each) === "orphan" || (!alone && each.code === "wal-unknown-topic");
  return findings.filter((each) => swept || !passing(each))
    .map(({ code, key, text }) => `fsck: ${code} ${key}: ${text}`);
}
