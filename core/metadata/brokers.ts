/**
 * Brokers: the cluster id, each broker's epoch counter with its WAL chains, and live registrations.
 * A broker epoch is given out once for ever, by compare-and-set; with the broker id it names one
 * incarnation and its chain (DESIGN 1). A commit whose reply is lost only burns an epoch.
 */
import { uuidText } from "../bytes/uuid.ts";
import { invariant, type Runtime } from "../runtime/mod.ts";
import { changeKey } from "./cas.ts";
import { seal, unseal } from "./envelope.ts";
import { BROKER_CHAINS_PREFIX, brokerChainsKey, CLUSTER_KEY } from "./keys.ts";
import type { Entry, MetadataStore } from "./metadata_store.ts";
import { BROKER_CHAINS, BROKER_REGISTRATION, CLUSTER_IDENTITY } from "./records.ts";

/** A WAL chain that may hold entries that no manifest covers and no other chain has adopted. */
export interface ChainRecord {
  readonly brokerId: number;
  /** The broker epoch that owns the chain. */
  readonly epoch: number;
  /** Recovery never looks below this slot. */
  readonly lowWaterSlot: number;
  /**
   * The chain is newer than metadata was when it was met, so the topics of its entries may be, too:
   * what belongs to an unknown topic is neither recovered nor deleted.
   */
  readonly keepUnknown: boolean;
  /** Of a broker that led by assignment only: what no record ever named has nothing in it. */
  readonly clustered: boolean;
}

export interface OpenedIncarnation {
  readonly epoch: number;
  /** Ascending by epoch; all of them are to be sealed, then adopted. */
  readonly earlierChains: ChainRecord[];
}

/** Takes the next broker epoch and enters its chain into the list. */
export function openIncarnation(
  store: MetadataStore,
  brokerId: number,
  clustered = false,
): Promise<OpenedIncarnation> {
  return changeKey(store, brokerChainsKey(brokerId), (entry) => {
    const record = read(entry);
    const epoch = record.last_epoch + 1;
    const chains = [...record.chains, { epoch, low_water_slot: 0, keep_unknown: false, clustered }];
    return {
      value: seal(BROKER_CHAINS, { ...record, last_epoch: epoch, chains }),
      result: { epoch, earlierChains: chainsOf(brokerId, record.chains) },
    };
  });
}

/** Takes the next broker epoch of a broker that will write no chain. */
export function openReadOnlyIncarnation(store: MetadataStore, brokerId: number): Promise<number> {
  return changeKey(store, brokerChainsKey(brokerId), (entry) => {
    const record = read(entry);
    const epoch = record.last_epoch + 1;
    return { value: seal(BROKER_CHAINS, { ...record, last_epoch: epoch }), result: epoch };
  });
}

/** The newest broker epoch that was given out; 0: none ever. */
export async function lastEpoch(store: MetadataStore, brokerId: number): Promise<number> {
  return read(await store.get(brokerChainsKey(brokerId))).last_epoch;
}

/**
 * Metadata went back: enters the chains that the bucket has above the newest epoch of the record,
 * if any, so that no epoch is given out twice and they are recovered like others. Those that were
 * there already may hold entries of topics that metadata has lost as well.
 */
export function enterFoundChains(
  store: MetadataStore,
  brokerId: number,
  found: readonly { readonly brokerEpoch: number; readonly firstSlot: number }[],
): Promise<void> {
  return changeKey(store, brokerChainsKey(brokerId), (entry) => {
    const record = read(entry);
    const missing = found.filter(({ brokerEpoch }) => brokerEpoch > record.last_epoch);
    const known = record.chains.every((chain) => chain.keep_unknown);
    if (missing.length === 0 && known) return { result: undefined };
    const chains = [
      ...record.chains.map((chain) => ({ ...chain, keep_unknown: true })),
      ...missing.map(({ brokerEpoch, firstSlot }) => ({
        epoch: brokerEpoch,
        low_water_slot: firstSlot,
        keep_unknown: true,
        clustered: false,
      })),
    ];
    const epochs = missing.map(({ brokerEpoch }) => brokerEpoch);
    const last_epoch = Math.max(record.last_epoch, ...epochs);
    return { value: seal(BROKER_CHAINS, { ...record, last_epoch, chains }), result: undefined };
  });
}

/** Raises a chain's low-water slot; never lowers it. A chain that is gone is left alone. */
export function raiseLowWater(
  store: MetadataStore,
  brokerId: number,
  epoch: number,
  slot: number,
): Promise<void> {
  return changeKey(store, brokerChainsKey(brokerId), (entry) => {
    const record = read(entry);
    const chain = record.chains.find((each) => each.epoch === epoch);
    if (chain === undefined || chain.low_water_slot >= slot) return { result: undefined };
    const chains = record.chains.map((each) =>
      each === chain ? { ...each, low_water_slot: slot } : each
    );
    return { value: seal(BROKER_CHAINS, { ...record, chains }), result: undefined };
  });
}

/** Forgets chains, after their entries were adopted. Absent ones are fine. */
export function removeChains(
  store: MetadataStore,
  brokerId: number,
  epochs: readonly number[],
): Promise<void> {
  return changeKey(store, brokerChainsKey(brokerId), (entry) => {
    const record = read(entry);
    const chains = record.chains.filter((each) => !epochs.includes(each.epoch));
    if (chains.length === record.chains.length) return { result: undefined };
    return { value: seal(BROKER_CHAINS, { ...record, chains }), result: undefined };
  });
}

/** The chains of a broker that may hold unadopted entries, ascending by epoch. */
export async function readChains(store: MetadataStore, brokerId: number): Promise<ChainRecord[]> {
  return chainsOf(brokerId, read(await store.get(brokerChainsKey(brokerId))).chains);
}

/** What a broker has of epochs and chains. */
export interface BrokerChains {
  readonly brokerId: number;
  readonly lastEpoch: number;
  readonly chains: readonly ChainRecord[];
}

/** The epoch counter and chains of every broker that ever was. */
export async function readAllChains(store: MetadataStore): Promise<BrokerChains[]> {
  const { entries } = await store.list(BROKER_CHAINS_PREFIX);
  return entries.map(brokerChainsOf);
}

/** The broker in an entry of BROKER_CHAINS_PREFIX. */
export function brokerChainsOf(entry: Entry): BrokerChains {
  const brokerId = Number(entry.key.slice(BROKER_CHAINS_PREFIX.length));
  const { last_epoch, chains } = read(entry);
  return { brokerId, lastEpoch: last_epoch, chains: chainsOf(brokerId, chains) };
}

function read(entry: Entry | undefined) {
  if (entry === undefined) return { last_epoch: 0, chains: [] };
  const record = unseal(BROKER_CHAINS, entry.key, entry.value);
  invariant(
    record.chains.every((chain) => chain.epoch <= record.last_epoch),
    "a chain is newer than its broker's epoch counter",
  );
  return record;
}

function chainsOf(
  brokerId: number,
  chains: readonly {
    epoch: number;
    low_water_slot: number;
    keep_unknown: boolean;
    clustered: boolean;
  }[],
): ChainRecord[] {
  return chains
    .map(({ epoch, low_water_slot, keep_unknown, clustered }) => ({
      brokerId,
      epoch,
      lowWaterSlot: low_water_slot,
      keepUnknown: keep_unknown,
      clustered,
    }))
    .sort((a, b) => a.epoch - b.epoch);
}

/**
 * The cluster's id, made at the first call ever: `wanted`, or 22 characters of base64url. A later
 * `wanted` changes nothing: compare it with the result.
 */
export function clusterId(
  store: MetadataStore,
  runtime: Pick<Runtime, "random">,
  wanted: string | null = null,
): Promise<string> {
  return changeKey(store, CLUSTER_KEY, (entry) => {
    if (entry !== undefined) {
      return { result: unseal(CLUSTER_IDENTITY, entry.key, entry.value).cluster_id };
    }
    const id = wanted ?? newClusterId(runtime);
    return { value: seal(CLUSTER_IDENTITY, { cluster_id: id }), result: id };
  });
}

function newClusterId(runtime: Pick<Runtime, "random">): string {
  const bytes = new Uint8Array(16);
  for (;;) {
    runtime.random.fill(bytes);
    const id = uuidText(bytes);
    if (!id.startsWith("-")) return id;
  }
}

/** A live broker. */
export interface LiveBroker {
  readonly brokerId: number;
  readonly host: string;
  readonly port: number;
  readonly rack: string | null;
  /** 0 when it was not told. */
  readonly epoch: number;
  /** Its partitions are to be led by others. */
  readonly draining: boolean;
  /** Leads and coordinates nothing, ever. */
  readonly readOnly: boolean;
}

/** The broker in an entry of LIVE_BROKERS_PREFIX, for those who watch it. */
export function liveBrokerOf(entry: Entry): LiveBroker {
  const record = unseal(BROKER_REGISTRATION, entry.key, entry.value);
  const { host, port, epoch, draining, read_only: readOnly } = record;
  const rack = record.rack || null;
  return { brokerId: Number(record.broker_id), host, port, epoch, rack, draining, readOnly };
}
