/** Generations of metadata that were begun, one empty object each: never given out twice. */
import { generationKey, generationsPrefix } from "../keys.ts";
import type { ObjectStore } from "../object_store.ts";

/** Begins the first generation above `known` that nobody has begun. */
export async function claimGeneration(
  store: ObjectStore,
  namespace: string,
  known: number,
  signal: AbortSignal,
): Promise<number> {
  let newest = known;
  const after = generationKey(namespace, known);
  for await (const { key } of store.list(generationsPrefix(namespace), after, { signal })) {
    newest = Number(key.slice(generationsPrefix(namespace).length));
  }
  for (let generation = newest + 1;; generation++) {
    const key = generationKey(namespace, generation);
    if (await store.putIfAbsent(key, [], { signal }) === "created") return generation;
  }
}
