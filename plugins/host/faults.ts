/**
 * What plugins forget to catch: rejected promises and throwing timers end a process, unless they
 * are known to be a plugin's. Everything else ends it as ever; a broken invariant does always.
 */
import { InvariantError } from "../../core/runtime/mod.ts";
import { currentScope, type Scope } from "./scope.ts";

/** Catches faults of `scopes` until the returned function is called. */
export function catchFaults(scopes: () => Iterable<Scope>): () => void {
  const ownerOf = (reason: unknown, file: string): Scope | undefined => {
    if (reason instanceof InvariantError) return undefined;
    const running = currentScope();
    if (running !== undefined) return running;
    // a timer's error comes without its scope, but with a stack
    const stack = reason instanceof Error ? reason.stack ?? "" : "";
    for (const scope of scopes()) if (scope.owns(stack) || scope.owns(file)) return scope;
    return undefined;
  };
  const onError = (event: ErrorEvent) => {
    const owner = ownerOf(event.error, event.filename);
    if (owner === undefined) return;
    event.preventDefault();
    owner.onFault(event.error);
  };
  const onRejection = (event: PromiseRejectionEvent) => {
    const owner = ownerOf(event.reason, "");
    if (owner === undefined) return;
    event.preventDefault();
    owner.onFault(event.reason);
  };
  globalThis.addEventListener("error", onError);
  globalThis.addEventListener("unhandledrejection", onRejection);
  return () => {
    globalThis.removeEventListener("error", onError);
    globalThis.removeEventListener("unhandledrejection", onRejection);
  };
}
