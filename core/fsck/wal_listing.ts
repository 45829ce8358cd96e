/** Which slots there are, chain by chain, and which chains the metadata counts on. */
import { chainPrefix, chainSlotOfKey, generationsPrefix, walPrefix } from "../storage/keys.ts";
import { type Chains, readChainRecords } from "./catalog.ts";
import type { Context } from "./context.ts";
import { finding } from "./finding.ts";

/** One chain as it lies in the bucket. */
export interface ListedChain {
  readonly brokerId: number;
  readonly brokerEpoch: number;
  readonly prefix: string;
  /** Slot → bytes, ascending. */
  readonly sizes: ReadonlyMap<number, number>;
}

export interface WalListing {
  readonly chains: readonly ListedChain[];
  /** As they were after the listing: slots above the marks were not deleted before it. */
  readonly records: Chains;
  /** Keys below the commit log's prefix that are no slots. */
  readonly strangers: readonly string[];
}

/** A broker that starts changes the list of chains; more often than so it does not start. */
const ATTEMPTS_MAX = 5;

/** Lists the commit log between two readings of the chains' records that agree on the chains. */
export async function listWal(context: Context): Promise<WalListing> {
  let before = await readChainRecords(await context.metadata());
  for (let attempt = 1;; attempt++) {
    const { chains, strangers } = await listChains(context);
    const records = await readChainRecords(await context.metadata());
    if (sameChains(before, records) || attempt === ATTEMPTS_MAX) {
      return { chains, records, strangers };
    }
    before = records;
  }
}

function sameChains(a: Chains, b: Chains): boolean {
  const names = ({ chains }: Chains) => chains.map((each) => `${each.brokerId}/${each.epoch}`);
  return names(a).join() === names(b).join();
}

async function listChains({ bucket, namespace }: Context) {
  const chains: { [Name in keyof ListedChain]: ListedChain[Name] }[] = [];
  const strangers: string[] = [];
  let sizes = new Map<number, number>();
  for await (const { key, size } of bucket.list(walPrefix(namespace))) {
    const at = chainSlotOfKey(namespace, key);
    if (at === undefined) {
      if (!key.startsWith(generationsPrefix(namespace))) strangers.push(key);
      continue;
    }
    const { brokerId, brokerEpoch, slot } = at;
    const last = chains.at(-1);
    if (last?.brokerId !== brokerId || last.brokerEpoch !== brokerEpoch) {
      sizes = new Map();
      const prefix = chainPrefix(namespace, brokerId, brokerEpoch);
      chains.push({ brokerId, brokerEpoch, prefix, sizes });
    }
    sizes.set(slot, size);
  }
  chains.sort((a, b) => a.brokerId - b.brokerId || a.brokerEpoch - b.brokerEpoch);
  return { chains, strangers };
}

/** Books what the listing alone shows. */
export function checkListing({ found }: Context, listing: WalListing): void {
  for (const each of listing.records.findings) found(each);
  for (const key of listing.strangers) {
    found(finding("object-unknown", key, "lies in the commit log and is no slot"));
  }
}
