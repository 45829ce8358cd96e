/**
 * Does `work` for each of `items`, so many at a time. After one has failed no further one is begun;
 * rejects, once those under way have ended, with the first failure.
 */
export async function inParallel<T>(
  count: number,
  items: Iterable<T>,
  work: (item: T) => Promise<void>,
): Promise<void> {
  const failures: unknown[] = [];
  const left = items[Symbol.iterator]();
  const worker = async () => {
    while (failures.length === 0) {
      const { done, value } = left.next();
      if (done === true) return;
      await work(value).catch((error) => void failures.push(error));
    }
  };
  await Promise.all(Array.from({ length: count }, worker));
  if (failures.length > 0) throw failures[0];
}
