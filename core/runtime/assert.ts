/** A broken invariant: a bug in the broker, never a fault of a peer's bytes. */
export class InvariantError extends Error {
  override name = "InvariantError";
}

/**
 * Asserts an invariant of ours; stays on in production. Messages are constants (a template string
 * costs more than the check). Bytes from a peer are `MalformedRequest`s instead.
 */
export function invariant(condition: unknown, message: string): asserts condition {
  if (!condition) throw new InvariantError(message);
}

/** Closes a switch over a union: the compiler proves that it is never reached. */
export function unreachable(value: never): never {
  throw new InvariantError("unreachable case " + String(value));
}
