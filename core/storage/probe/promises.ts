import { CALLS } from "./calls.ts";
import { CREATE_ONCE, CREATES } from "./creates.ts";
import { KEYS } from "./keys.ts";
import { LISTINGS } from "./listings.ts";
import { OBJECTS } from "./objects.ts";
import type { StorePromise } from "./promise.ts";

export { CREATE_ONCE };

/** The whole contract, the conditional creates first. */
export const PROMISES: readonly StorePromise[] = [
  ...CREATES,
  ...OBJECTS,
  ...LISTINGS,
  ...KEYS,
  ...CALLS,
];
