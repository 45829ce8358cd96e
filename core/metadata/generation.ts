/**
 * Generations of metadata: each restore from an older copy begins one. Slots of the log carry the
 * generation and the revision that their writer knew (docs/decisions/0011), so whoever starts sees
 * whether metadata went back.
 */
import { changeKey } from "./cas.ts";
import { seal, unseal } from "./envelope.ts";
import { GENERATION_KEY } from "./keys.ts";
import type { Entry, MetadataStore } from "./metadata_store.ts";
import { METADATA_GENERATION } from "./records.ts";

export interface Generation {
  /** 0: metadata was never restored. */
  readonly generation: number;
  /** It was put back once more, and what must not go back with it is not looked after yet. */
  readonly restored: boolean;
  /** The generation that begins when that is done; 0: nobody is at it. */
  readonly next: number;
}

export async function readGeneration(store: MetadataStore): Promise<Generation> {
  return read(await store.get(GENERATION_KEY));
}

/** Metadata was just put back: the next broker that starts will look after it. */
export function markRestored(store: MetadataStore): Promise<void> {
  return changeKey(store, GENERATION_KEY, (entry) => ({
    value: seal(METADATA_GENERATION, { ...read(entry), restored: true, next: 0 }),
    result: undefined,
  }));
}

/**
 * Begins to enter generation `next`, or whichever another broker has begun with since `present` was
 * read; returns that. Written before anything else is: revisions rise by it, and then no longer
 * tell that metadata went back.
 */
export function beginGeneration(
  store: MetadataStore,
  present: Generation,
  next: number,
): Promise<number> {
  return changeKey(store, GENERATION_KEY, (entry) => {
    const now = read(entry);
    if (now.next > 0) return { result: now.next };
    // entered meanwhile
    if (now.generation > present.generation) return { result: now.generation };
    const value = seal(METADATA_GENERATION, { ...now, restored: true, next });
    return { value, result: next };
  });
}

/** All that is to be done after a restore is done; never goes back. */
export function enterGeneration(store: MetadataStore, generation: number): Promise<void> {
  return changeKey(store, GENERATION_KEY, (entry) => {
    if (read(entry).generation >= generation) return { result: undefined };
    const value = seal(METADATA_GENERATION, { generation, restored: false, next: 0 });
    return { value, result: undefined };
  });
}

function read(entry: Entry | undefined): Generation {
  if (entry === undefined) return { generation: 0, restored: false, next: 0 };
  return unseal(METADATA_GENERATION, entry.key, entry.value);
}
