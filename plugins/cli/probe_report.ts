/** What `probe` says: lines for people, the verdict, and the advice that the figures bear out. */
import type { Config } from "../../core/config/mod.ts";
import type { StoreAdvice } from "../../core/storage/object_store.ts";
import { CREATE_ONCE, type Figure, type Finding } from "../../core/storage/probe/mod.ts";

const KIB = 1024;
const MIB = 1024 * KIB;
const MONTH_SECONDS = 30 * 86_400;

export interface Verdict {
  readonly unfit: boolean;
  readonly sentence: string;
  /** A sentence each. */
  readonly advice: readonly string[];
}

/** One line, and one more where the promise is not kept. */
export function findingLines({ name, promise, outcome, detail, severity }: Finding): string[] {
  const mark = outcome === "broken" && severity === "advised" ? "broken*" : outcome;
  const lines = [`${mark.padEnd(12)}${name.padEnd(18)}${promise}`];
  if (detail !== undefined) lines.push(`${" ".repeat(30)}${shortened(detail)}`);
  return lines;
}

/** A key may be a thousand bytes long. */
function shortened(text: string): string {
  return text.length <= 300 ? text : `${text.slice(0, 120)}…${text.slice(-170)}`;
}

export const FIGURES_HEAD =
  "                    at once  requests   p50 ms   p99 ms   max ms    MiB/s";

export function figureLine(figure: Figure): string {
  const { operation, bytes, parallel, requests, failures, bytesPerSecond } = figure;
  const ms = [figure.p50Ms, figure.p99Ms, figure.maxMs].map((value) =>
    value.toFixed(1).padStart(9)
  );
  const line = operation.padEnd(8) + sizeText(bytes).padStart(9) + `${parallel}`.padStart(10) +
    `${requests}`.padStart(10) + ms.join("") + (bytesPerSecond / MIB).toFixed(1).padStart(9);
  return failures === 0 ? line : `${line}  (${failures} more were throttled or failed)`;
}

export function judge(
  findings: readonly Finding[],
  figures: readonly Figure[],
  config: Config,
  advice: StoreAdvice,
): Verdict {
  const sentence = refusal(findings);
  if (sentence !== undefined) return { unfit: true, sentence, advice: [] };
  const weak = findings.filter(({ outcome }) => outcome === "broken").map(({ name }) => name);
  const but = weak.length === 0
    ? ""
    : `, with weaknesses that it can live with: ${weak.join(", ")}`;
  return {
    unfit: false,
    sentence: `The store can carry a log${but}.`,
    advice: adviceFrom(figures, config, advice),
  };
}

function refusal(findings: readonly Finding[]): string | undefined {
  const needed = findings.filter(({ severity }) => severity === "required");
  const first = needed.find(({ name }) => name === CREATE_ONCE);
  if (first !== undefined && first.outcome !== "kept") {
    return first.failure === undefined
      ? `The store lacks working conditional writes (If-None-Match): ${first.detail}; ` +
        "use one that has them."
      : `The store cannot be used: ${first.detail}.`;
  }
  const broken = needed.filter(({ outcome }) => outcome === "broken").map(({ name }) => name);
  if (broken.length > 0) return `The store cannot carry a log: it breaks ${broken.join(", ")}.`;
  const unclear = needed.filter(({ failure }) => failure !== undefined).map(({ name }) => name);
  if (unclear.length === 0) return undefined;
  return `Whether the store can carry a log could not be found out: ${
    unclear.join(", ")
  } met too ` +
    "many faults; try again when it answers.";
}

/** Only what was measured, and what follows from it by arithmetic. */
function adviceFrom(figures: readonly Figure[], config: Config, advice: StoreAdvice): string[] {
  const small = figures.find(({ operation, bytes }) => operation === "create" && bytes <= KIB);
  const many = figures.findLast(({ operation }) => operation === "create");
  if (small === undefined || many === undefined) return [];
  const lines = [
    `After a pause a record is acknowledged after ${
      whole(small.p50Ms)
    } ms at best, and in one of ` +
    `a hundred cases after ${whole(small.p99Ms)} ms or more.`,
    `With ${many.parallel} uploads of ${sizeText(many.bytes)} at once this machine writes ` +
    `${whole(many.bytesPerSecond / MIB)} MiB/s to it.`,
  ];
  const intervalMs = config.flushIntervalMs ?? advice.flushIntervalMs;
  const possibleMs = Math.max(1, Math.ceil(small.p50Ms));
  if (intervalMs > 2 * possibleMs) {
    const perSecond = whole(1000 / possibleMs);
    const perMonth = Math.round(1000 / possibleMs * MONTH_SECONDS / 1e6);
    lines.push(
      `Under steady load it is the flush interval of ${intervalMs} ms that records wait for, not ` +
        `the store: KAFSCALE_FLUSH_INTERVAL_MS=${possibleMs} would cut that, for up to ` +
        `${perSecond} writes a second (${perMonth} million a month) in place of ` +
        `${whole(1000 / intervalMs)}.`,
    );
  }
  const asked = figures.reduce((sum, { requests, failures }) => sum + requests + failures, 0);
  const failed = figures.reduce((sum, { failures }) => sum + failures, 0);
  if (failed > 0) lines.push(`${failed} of ${asked} measured requests were throttled or failed.`);
  return lines;
}

/** Without digits that mean nothing. */
function whole(value: number): string {
  return value < 10 ? value.toFixed(1) : Math.round(value).toLocaleString("en-US");
}

function sizeText(bytes: number): string {
  return bytes >= MIB ? `${bytes / MIB} MiB` : `${bytes / KIB} KiB`;
}
