/**
 * Below the ports that systems hand out by themselves (32768 and up on Linux, 49152 elsewhere): one
 * that is free now is not taken by somebody's outgoing connection before it is listened on.
 */
const LOWEST = 20_000;
const HIGHEST = 32_000;
/** Drawn before in this process: whoever has it may not listen yet. */
const drawn = new Set<number>();

/** A port that nobody listens on, with `count - 1` like it behind it; never the same one twice. */
export function freePort(count = 1): number {
  for (;;) {
    const first = LOWEST + Math.floor(Math.random() * (HIGHEST - LOWEST - count));
    const ports = Array.from({ length: count }, (_, at) => first + at);
    if (ports.some((port) => drawn.has(port)) || !ports.every(isFree)) continue;
    for (const port of ports) drawn.add(port);
    return first;
  }
}

function isFree(port: number): boolean {
  try {
    Deno.listen({ hostname: "127.0.0.1", port }).close();
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.AddrInUse) return false;
    throw error;
  }
}
