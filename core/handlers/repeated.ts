/** Lists in requests in which everything should be there once. */

/** The items without repetitions, in order of their first place. */
export function distinctBy<Item>(
  items: readonly Item[],
  keyOf: (item: Item) => string | null,
): Item[] {
  const byKey = new Map<string | null, Item>();
  for (const item of items) {
    const key = keyOf(item);
    if (!byKey.has(key)) byKey.set(key, item);
  }
  return [...byKey.values()];
}

/** The texts that are there more than once. */
export function repeatedIn(texts: Iterable<string>): ReadonlySet<string> {
  const seen = new Set<string>();
  const repeated = new Set<string>();
  for (const text of texts) (seen.has(text) ? repeated : seen).add(text);
  return repeated;
}
