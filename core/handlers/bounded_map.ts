/** `run` over all items in order of start, `parallel` at a time; results in the items' order. */
export async function boundedMap<Item, Result>(
  items: readonly Item[],
  parallel: number,
  run: (item: Item) => Result | Promise<Result>,
): Promise<Result[]> {
  const results: Result[] = [];
  for (let at = 0; at < items.length; at += parallel) {
    const group = items.slice(at, at + parallel);
    results.push(...await Promise.all(group.map((item) => run(item))));
  }
  return results;
}
