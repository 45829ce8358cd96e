/** What a check can find: stable codes, how grave each is, and the report that collects them. */

/**
 * - `damage`: something acknowledged is lost, unreadable or contradictory, or a fence is gone.
 * - `orphan`: bytes that nobody needs and no broker will ever ask for.
 * - `warning`: unusual, and for a person to judge.
 */
export type Severity = "damage" | "orphan" | "warning";

export interface FindingKind {
  readonly severity: Severity;
  /** What it means, for docs/fsck.md (a test holds the two equal). */
  readonly meaning: string;
  /** What `--repair` does about it. */
  readonly repair: "deletes" | "rebuilds" | "deletes some" | "";
}

const damage = (meaning: string, repair: FindingKind["repair"] = ""): FindingKind => ({
  severity: "damage",
  meaning,
  repair,
});
const orphan = (meaning: string, repair: FindingKind["repair"] = "deletes"): FindingKind => ({
  severity: "orphan",
  meaning,
  repair,
});
const warning = (meaning: string): FindingKind => ({ severity: "warning", meaning, repair: "" });

/** Every code; codes are for ever, scripts know them. */
export const FINDINGS = {
  "metadata-damaged": damage("a metadata record that cannot be read"),
  "topic-directory-shared": damage("two topics with the same directory in the bucket"),
  "topic-objects-missing": warning(
    "groups have read a topic of which neither objects nor log entries are there",
  ),
  "group-offset-beyond-end": warning("a committed offset behind the end of its partition"),

  "manifest-damaged": damage("the newest manifest of a partition cannot be read"),
  "manifest-foreign": damage("a manifest of another topic or partition, or under a wrong key"),
  "manifest-inconsistent": damage("a manifest that contradicts itself"),
  "manifest-missing": damage("segments without a manifest, holding what nothing else holds"),
  "manifest-stale": orphan("a manifest older than the two newest"),
  "segment-missing": damage("a manifest names a segment, and it is not there"),
  "segment-damaged": damage("a segment whose header, footer, CRC-32C or batches are wrong"),
  "segment-mismatch": damage("a segment that is not what the manifest says of it"),
  "segment-offsets": damage("a segment whose batches leave a hole or overlap"),
  "segment-hole": damage("offsets between two segments of a manifest are in neither"),
  "segment-overlap": damage("two segments of a manifest hold the same offsets"),
  "segment-unnamed": damage("a segment that no manifest names holds what nothing else holds"),
  "segment-timestamp": warning("the manifest states another greatest timestamp for a segment"),
  "segment-orphan": orphan("a segment that no manifest names; its records are elsewhere"),
  "batch-damaged": damage("a record batch that fails its CRC-32C (with --deep)"),
  "index-missing": damage("a segment has no index", "rebuilds"),
  "index-damaged": damage("an index that cannot be read", "rebuilds"),
  "index-mismatch": damage("an index that does not fit its segment", "rebuilds"),
  "index-orphan": orphan("an index without its segment"),
  "epoch-order": damage("leader epochs go back along the log"),
  "epoch-behind": damage("the log has a later leader epoch than the assignment gives out"),
  "producer-state": damage("a manifest's producer state that cannot be"),
  "producer-sequence": warning("an idempotent producer's sequences are not in order"),

  "wal-slot-damaged": damage("a slot of the commit log that cannot be read"),
  "wal-slot-misplaced": damage("a slot of the commit log under another one's key"),
  "wal-gap": damage("a committed slot of the commit log is gone"),
  "wal-hole": damage("the commit log does not go on where the manifest, or its own entry, ends"),
  "wal-overlap": damage("two entries of the commit log hold the same offset"),
  "wal-object-missing": damage("an adoption record names a slot that is gone and still needed"),
  "wal-adoption-mismatch": damage("an adoption record and the slot that it names disagree"),
  "wal-batch-damaged": damage("a batch in the commit log that fails its CRC-32C (with --deep)"),
  "wal-chain-unassigned": damage(
    "entries that no segment holds lie in a chain that the partition's assignment does not name",
  ),
  "wal-seal-missing": damage("a former chain without its seal: its owner is not fenced"),
  "wal-epoch-ahead": damage("a chain that the metadata has not given out: the metadata is old"),
  "wal-void": orphan("a slot behind the end of its chain, never committed", "deletes some"),
  "wal-leftover": orphan("a slot of a former chain that no adoption record names"),
  "wal-below-low-water": orphan("a slot below its chain's low-water mark"),
  "wal-unknown-topic": warning("the commit log has entries of a topic that metadata never had"),

  "directory-orphan": orphan("objects of a topic whose deletion the metadata remembers"),
  "directory-unknown": warning("objects of a topic that the metadata doesn't know"),
  "partition-unknown": warning("objects of a partition that its topic doesn't have"),
  "object-unknown": warning("an object that is none of KafScale's"),
  "probe-leftover": orphan("what a start's write check left behind"),
} as const satisfies Readonly<Record<string, FindingKind>>;

export type FindingCode = keyof typeof FINDINGS;

/** What would end a finding, and lose nothing. */
export type Repair =
  | { readonly kind: "delete"; readonly keys: readonly string[] }
  | { readonly kind: "delete-prefix"; readonly prefix: string }
  | {
    readonly kind: "rebuild-index";
    readonly segmentKey: string;
    readonly indexKey: string;
    /** Of the segment object. */
    readonly size: number;
    readonly intervalBytes: number;
  };

export interface Finding {
  readonly code: FindingCode;
  /** The object, directory or metadata key that it is about. */
  readonly key: string;
  /** One clause, without the key. */
  readonly text: string;
  /** Undefined: nothing that would lose nothing. */
  readonly repair: Repair | undefined;
  /** The topic that it is about, where it is about one. */
  readonly topic?: string;
}

export function finding(
  code: FindingCode,
  key: string,
  text: string,
  repair?: Repair,
): Finding {
  return { code, key, text, repair };
}

export function severityOf({ code }: Pick<Finding, "code">): Severity {
  return FINDINGS[code].severity;
}

export function isDamage(found: Finding): boolean {
  return severityOf(found) === "damage";
}

/** How much was looked at. */
export interface Looked {
  topics: number;
  partitions: number;
  segments: number;
  segmentBytes: number;
  chains: number;
  slots: number;
  groups: number;
}

/** A repair that was made. */
export interface Repaired {
  readonly code: FindingCode;
  readonly key: string;
  /** What was done, as a clause. */
  readonly text: string;
}

export type Verdict = "clean" | "leftovers" | "damaged";

export interface FsckReport {
  readonly verdict: Verdict;
  /** The gravest first, then by key. */
  readonly findings: readonly Finding[];
  /** Findings beyond what is kept; counted in `counts`. */
  readonly notKept: number;
  readonly counts: Readonly<Record<Severity, number>>;
  /** The codes of all findings, whether kept or not. */
  readonly codes: ReadonlySet<FindingCode>;
  readonly looked: Looked;
}

const ORDER: Readonly<Record<Severity, number>> = { damage: 0, orphan: 1, warning: 2 };

/** Collects findings in bounded memory. */
export class Findings {
  readonly looked: Looked = {
    topics: 0,
    partitions: 0,
    segments: 0,
    segmentBytes: 0,
    chains: 0,
    slots: 0,
    groups: 0,
  };
  readonly #kept: Finding[] = [];
  readonly #counts = { damage: 0, orphan: 0, warning: 0 };
  readonly #codes = new Set<FindingCode>();
  #notKept = 0;

  constructor(readonly keptMax: number) {}

  add(found: Finding): void {
    this.#counts[severityOf(found)]++;
    this.#codes.add(found.code);
    if (this.#kept.length < this.keptMax) this.#kept.push(found);
    else this.#notKept++;
  }

  report(): FsckReport {
    const { damage, orphan, warning } = this.#counts;
    const rank = (each: Finding) => ORDER[severityOf(each)];
    const findings = this.#kept.toSorted((a, b) =>
      rank(a) - rank(b) || (a.key < b.key ? -1 : a.key > b.key ? 1 : 0)
    );
    return {
      verdict: damage > 0 ? "damaged" : orphan + warning > 0 ? "leftovers" : "clean",
      findings,
      notKept: this.#notKept,
      counts: { ...this.#counts },
      codes: this.#codes,
      looked: this.looked,
    };
  }
}
