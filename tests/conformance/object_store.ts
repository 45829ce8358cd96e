/**
 * What every ObjectStore must do: each case of core/storage/probe as a test, on a store of its own,
 * and each fault of store_faults.ts. A driver's test is a call of `objectStoreConformance`; what a
 * driver cannot do, or suffer, it names in `skip`, with the reason.
 *
 * Environment: KAFSCALE_TEST_LIST_KEYS is how many keys are listed; unset: 5,000
 */
import type { ObjectStore } from "../../core/storage/object_store.ts";
import { type OtherStore, type ProbeSizes, PROMISES } from "../../core/storage/probe/mod.ts";
import { systemLog, systemRuntime } from "../../core/runtime/system.ts";
import { FAULT_CASES, type StoreFaults } from "./store_faults.ts";

export interface ConformanceOptions extends Partial<ProbeSizes> {
  /** Name of a promise to reason, which is printed. */
  readonly skip?: Readonly<Record<string, string>>;
  /** The same store on a way that can be made bad. */
  readonly openFaulty?: () => Promise<FaultyStore>;
}

export interface OpenedStore {
  readonly store: ObjectStore;
  /** Ends in "/"; left out: "conformance/". A bucket that tests share needs one for each. */
  readonly prefix?: string;
  /** As for the cases; left out: only "again" is known, as a store opened afresh. */
  openOther?(which: OtherStore): Promise<ObjectStore | undefined>;
  /** Removes what the store left outside of the process. The store is closed by then. */
  dispose?(): Promise<void>;
}

export interface FaultyStore extends OpenedStore {
  readonly faults: StoreFaults;
  /** What a call that is not answered may take; left out: a second. */
  readonly timeoutMs?: number;
}

const runtime = systemRuntime(systemLog("error", false));

export function objectStoreConformance(
  name: string,
  open: () => Promise<OpenedStore>,
  options: ConformanceOptions = {},
): void {
  const sizes = {
    largeBytes: options.largeBytes ?? 64 * 1024 * 1024,
    listKeys: options.listKeys ?? Number(Deno.env.get("KAFSCALE_TEST_LIST_KEYS") ?? 5000),
  };
  /** Not a skipped test: by its nature the driver cannot be asked this. */
  const applies = (what: string, promise: string) => {
    const reason = options.skip?.[what];
    if (reason === undefined) return true;
    console.log(`${name}: does not apply: ${what} (${promise}): ${reason}`);
    return false;
  };
  for (const { name: what, promise, run } of PROMISES) {
    if (!applies(what, promise)) continue;
    Deno.test(`ObjectStore(${name}) ${what}: ${promise}`, async () => {
      const opened = await open();
      const others: OpenedStore[] = [];
      const openOther = async (which: OtherStore) => {
        if (opened.openOther !== undefined) return await opened.openOther(which);
        if (which !== "again") return undefined;
        others.push(await open());
        return others.at(-1)!.store;
      };
      const { store, prefix = "conformance/" } = opened;
      try {
        await run({ store, runtime, prefix, sizes, openOther });
      } finally {
        for (const each of [opened, ...others]) {
          await each.store.close();
          await each.dispose?.();
        }
      }
    });
  }
  for (const { name: what, promise, run } of FAULT_CASES) {
    if (!applies(what, promise)) continue;
    Deno.test(`ObjectStore(${name}) ${what}: ${promise}`, async () => {
      const opened = await options.openFaulty?.();
      if (opened?.faults[what] === undefined) {
        throw new Error(`the suite can neither do "${what}" to the store, nor does it skip it`);
      }
      const { store, faults, prefix = "conformance/", timeoutMs = 1_000 } = opened;
      try {
        await run({ store, runtime, prefix, faults, timeoutMs });
      } finally {
        await store.close();
        await opened.dispose?.();
      }
    });
  }
}
