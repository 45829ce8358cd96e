import type { Runtime } from "../../runtime/runtime.ts";
import type { ObjectStore } from "../object_store.ts";

/** How much a run may cost: requests and bytes are money on most stores. */
export interface ProbeSizes {
  /** Bytes of the large object; a multiple of 1 MiB. */
  readonly largeBytes: number;
  /** Keys of the long listing; stores give them out in pages of 1,000. */
  readonly listKeys: number;
}

/**
 * Another way to the same driver: a further handle, which the case may close; the same bucket with
 * credentials that are wrong; a bucket that does not exist.
 */
export type OtherStore = "again" | "wrong credentials" | "missing bucket";

/** What a case works with. */
export interface ProbeContext {
  readonly store: ObjectStore;
  readonly runtime: Runtime;
  /** Ends in "/"; the case's own: nothing is below it at the start. */
  readonly prefix: string;
  readonly sizes: ProbeSizes;
  /** Undefined where the driver knows no such thing. */
  readonly openOther: (which: OtherStore) => Promise<ObjectStore | undefined>;
}

/** One promise of the ObjectStore contract, and how to see whether it is kept. */
export interface StorePromise {
  /** Stable; reports and skips name it. */
  readonly name: string;
  /** One sentence. */
  readonly promise: string;
  /** Without a required one no log can live on the store. */
  readonly severity: "required" | "advised";
  /**
   * Throws BrokenPromiseError, NotTestedError, or the StoreError of a call that should have
   * succeeded.
   */
  run(context: ProbeContext): Promise<void>;
}

/** What was promised, and what was found instead. */
export class BrokenPromiseError extends Error {
  override name = "BrokenPromiseError";
}

/** The case does not apply to this store; the message says why. */
export class NotTestedError extends Error {
  override name = "NotTestedError";
}
