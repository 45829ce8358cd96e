import { inTime, type Runtime } from "../runtime/mod.ts";
import { MetadataError } from "./metadata_store.ts";

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
