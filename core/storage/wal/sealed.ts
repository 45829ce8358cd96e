import { ErrorCode, type ErrorCodeValue } from "../../protocol/errors.ts";
import { slotKey } from "../keys.ts";
import { StoreError } from "../object_store.ts";
import type { WalChain } from "./chain.ts";
import { decodeSlotHeader, WAL_HEADER_BYTES } from "./format.ts";

/**
 * Whether others have sealed the chain by now. False is proof: at some moment since the call nobody
 * had, so whoever seals it later reads after that what was written before. A seal takes the first
 * slot that is free, and all before the one that is looked at are taken. StoreErrors pass through.
 */
async function isSealed(chain: WalChain): Promise<boolean> {
  const { store, namespace, brokerId, brokerEpoch } = chain.options;
  const slot = chain.nextSlot;
  await chain.settled();
  if (chain.ended !== 0) return true;
  const key = slotKey(namespace, brokerId, brokerEpoch, slot);
  const header = await store.get(key, { start: 0, end: WAL_HEADER_BYTES });
  return header !== undefined && decodeSlotHeader(header).kind === "seal";
}

/**
 * Proof that the chain is its owner's still, for answers that say what is not so: a broker that was
 * taken over from and doesn't know it would give them by what is old (I3). What is written needs no
 * such proof, the write is one.
 */
export class Standing {
  #looking: Promise<ErrorCodeValue> | undefined;
  /** Begins when the look at hand is over. */
  #next: Promise<ErrorCodeValue> | undefined;

  constructor(readonly chain: WalChain) {}

  /**
   * 0 where nobody had sealed the chain at some moment since the call, and all that was appended
   * before is committed; else the code to answer with instead. Costs one small read of the store at
   * a time, which all share that ask while another is under way (I9), and never an upload.
   */
  prove(): Promise<ErrorCodeValue> {
    if (this.#looking === undefined) return this.#looking = this.#look();
    return this.#next ??= this.#looking.then(() => {
      this.#next = undefined;
      return this.#looking = this.#look();
    });
  }

  async #look(): Promise<ErrorCodeValue> {
    const { chain } = this;
    try {
      if (!await isSealed(chain)) return ErrorCode.NONE;
      return chain.ended !== 0 ? chain.ended : ErrorCode.NOT_LEADER_OR_FOLLOWER;
    } catch (error) {
      if (!(error instanceof StoreError)) throw error;
      return ErrorCode.KAFKA_STORAGE_ERROR;
    } finally {
      if (this.#next === undefined) this.#looking = undefined;
    }
  }
}
