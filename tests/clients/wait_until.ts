/** Waiting for a condition with a deadline. */

/** Tries until it gives something else than undefined; says what was awaited when it never does. */
export async function waitUntil<T>(
  what: string,
  attempt: () => Promise<T | undefined> | T | undefined,
  timeoutMs = 25_000,
  pauseMs = 60,
): Promise<T> {
  const end = performance.now() + timeoutMs;
  while (true) {
    const result = await attempt();
    if (result !== undefined) return result;
    if (performance.now() > end) throw new Error(`waited ${timeoutMs} ms for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, pauseMs));
  }
}
