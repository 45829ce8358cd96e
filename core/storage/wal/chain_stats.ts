import { Histogram } from "../../runtime/histogram.ts";
import { LatencyHistogram } from "../../runtime/latency_histogram.ts";

/** Figures of a chain, for metrics; all of them only grow. */
export interface ChainStats {
  commits: number;
  /** Whole objects, with headers and footers. */
  committedBytes: number;
  /** Record batches. */
  committedRows: number;
  /** Uploads that were tried again. */
  retries: number;
  readonly commitBytes: Histogram;
  /** Between the sending of one commit and that of the next. */
  readonly spacingMs: Histogram;
  /** From sending until the store has it for certain, retries included. */
  readonly uploadMs: Histogram;
  /** From a commit's first batch until its producers are answered. */
  readonly commitMs: Histogram;
}

/** 4 KiB to 64 MiB. */
const COMMIT_BOUNDS = Array.from({ length: 8 }, (_, step) => 4096 * 4 ** step);

export function newChainStats(): ChainStats {
  return {
    commits: 0,
    committedBytes: 0,
    committedRows: 0,
    retries: 0,
    commitBytes: new Histogram(COMMIT_BOUNDS),
    spacingMs: new LatencyHistogram(),
    uploadMs: new LatencyHistogram(),
    commitMs: new LatencyHistogram(),
  };
}
