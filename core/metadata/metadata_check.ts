import { inTime, type Runtime } from "../runtime/mod.ts";
import { clusterId } from "./brokers.ts";
import { MetadataError, type MetadataStore } from "./metadata_store.ts";

/** A metadata store that cannot be asked ends the start after this long (I12). */
const CHECK_PATIENCE_MS = 15_000;

/** The first question of a start, with one sentence where it is not answered. */
export async function firstAnswer<T>(runtime: Runtime, question: Promise<T>): Promise<T> {
  try {
    const answer = await inTime(
      runtime.timers,
      CHECK_PATIENCE_MS,
      question.then((value) => ({ value })),
    );
    if (answer !== undefined) return answer.value;
  } catch (error) {
    if (!(error instanceof MetadataError)) throw error;
    const message = `the metadata store cannot be used: ${error.message}`;
    throw new MetadataError(error.outcome, message, { cause: error });
  }
  throw new MetadataError(
    "retry",
    `the metadata store has not answered for ${CHECK_PATIENCE_MS / 1_000} s; check that it runs ` +
      "and can be reached",
  );
}

/** The metadata store is another cluster's. */
export class WrongClusterError extends Error {
  override name = "WrongClusterError";
}

/** The cluster's id, made at its first start; rejects where it is not the `wanted` one (I12). */
export async function identify(
  store: MetadataStore,
  runtime: Runtime,
  wanted: string | null,
): Promise<string> {
  const id = await firstAnswer(runtime, clusterId(store, runtime, wanted));
  if (wanted === null || wanted === id) return id;
  throw new WrongClusterError(
    `the metadata store belongs to cluster ${id}, not ${wanted}; ` +
      "correct KAFSCALE_CLUSTER_ID or point the broker at its own metadata",
  );
}
