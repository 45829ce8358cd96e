/** Whether a manifest can be true, by itself: a broker writes none of which this finds anything. */
import type { Manifest, ProducerEntry } from "../storage/manifest.ts";
import { type Finding, finding } from "./finding.ts";

/** A client has five batches in flight at most, so no more are kept. */
const BATCHES_KEPT = 5;
const SEQUENCE_MODULUS = 2 ** 31;

/** `key`: the manifest's. */
export function manifestFindings(key: string, manifest: Manifest): Finding[] {
  return [
    ...offsetFaults(manifest).map((text) => finding("manifest-inconsistent", key, text)),
    ...segmentFindings(key, manifest),
    ...epochFaults(manifest).map((text) => finding("epoch-order", key, text)),
    ...producerFaults(manifest).map((text) => finding("producer-state", key, text)),
  ];
}

function* offsetFaults(m: Manifest): Generator<string> {
  if (m.logStartOffset < 0 || m.logStartOffset > m.coveredOffset) {
    yield `its log start offset ${m.logStartOffset} lies behind its covered offset ` +
      `${m.coveredOffset}`;
  }
  const first = m.segments[0];
  const last = m.segments.at(-1);
  if (first !== undefined && last !== undefined) {
    if (first.lastOffset < m.logStartOffset) {
      yield `its first segment ends at ${first.lastOffset}, below the log start offset ` +
        `${m.logStartOffset}`;
    }
    if (last.lastOffset + 1 !== m.coveredOffset) {
      yield `it covers offsets below ${m.coveredOffset}, and its last segment ends at ` +
        `${last.lastOffset}`;
    }
  } else if (m.logStartOffset !== m.coveredOffset) {
    yield `it covers offsets from ${m.logStartOffset} to ${m.coveredOffset} with no segment`;
  }
  if (m.merge !== undefined) {
    const bases = m.segments.map(({ baseOffset }) => baseOffset);
    const first = bases.indexOf(m.merge.firstBase);
    if (first < 0 || bases.indexOf(m.merge.lastBase) <= first) {
      yield `it plans to merge segments ${m.merge.firstBase} to ${m.merge.lastBase}, which it ` +
        "doesn't name";
    }
  }
  for (const { firstOffset, lastOffset } of m.aborted) {
    if (firstOffset > lastOffset) yield `an aborted transaction ends before it starts`;
  }
}

function* segmentFindings(key: string, m: Manifest): Generator<Finding> {
  let end = m.segments[0]?.baseOffset ?? 0;
  if (m.segments.length > 0 && end > m.logStartOffset) {
    const text = `offsets ${m.logStartOffset} to ${end - 1} are in no segment`;
    yield finding("segment-hole", key, text);
  }
  for (const { baseOffset, lastOffset } of m.segments) {
    if (lastOffset < baseOffset) {
      yield finding("manifest-inconsistent", key, `segment ${baseOffset} ends before it starts`);
    }
    if (baseOffset > end) {
      yield finding("segment-hole", key, `offsets ${end} to ${baseOffset - 1} are in no segment`);
    } else if (baseOffset < end) {
      const until = Math.min(end - 1, lastOffset);
      const text = `offsets ${baseOffset} to ${until} are in two segments`;
      yield finding("segment-overlap", key, text);
    }
    end = Math.max(end, lastOffset + 1);
  }
  const named = new Set(m.segments.map(({ baseOffset }) => baseOffset));
  for (const { baseOffset } of m.removed) {
    if (!named.has(baseOffset)) continue;
    const text = `segment ${baseOffset} is both a segment and removed`;
    yield finding("manifest-inconsistent", key, text);
  }
}

function* epochFaults({ leaderEpochs }: Manifest): Generator<string> {
  for (const [index, { leaderEpoch, startOffset }] of leaderEpochs.entries()) {
    const before = leaderEpochs[index - 1];
    if (before === undefined) continue;
    if (leaderEpoch > before.leaderEpoch && startOffset >= before.startOffset) continue;
    yield `leader epoch ${leaderEpoch} from ${startOffset} on comes behind epoch ` +
      `${before.leaderEpoch} from ${before.startOffset} on`;
  }
}

function* producerFaults({ producers, coveredOffset }: Manifest): Generator<string> {
  const seen = new Set<number>();
  for (const producer of producers) {
    const { producerId } = producer;
    if (seen.has(producerId)) yield `producer ${producerId} is there twice`;
    seen.add(producerId);
    const fault = producerFault(producer, coveredOffset);
    if (fault !== undefined) yield `producer ${producerId} ${fault}`;
  }
}

function producerFault(producer: ProducerEntry, coveredOffset: number): string | undefined {
  const { producerId, batches, transactionStartOffset } = producer;
  if (producerId < 0) return "has no id";
  if (batches.length > BATCHES_KEPT) return `has ${batches.length} batches`;
  if (transactionStartOffset >= coveredOffset) return "has a transaction behind the covered offset";
  for (const [index, batch] of batches.entries()) {
    const { firstSequence, lastSequence, baseOffset, lastOffset } = batch;
    if (lastOffset < baseOffset) return `has a batch that ends before its offset ${baseOffset}`;
    if (lastOffset >= coveredOffset) return `has offset ${lastOffset}, which is not covered`;
    if (ahead(firstSequence, lastSequence) !== lastOffset - baseOffset) {
      return `has more or fewer sequences than offsets in its batch at offset ${baseOffset}`;
    }
    const before = batches[index - 1];
    if (before === undefined) continue;
    if (baseOffset <= before.lastOffset) return `has offsets that go back at ${baseOffset}`;
    if (ahead(before.lastSequence, firstSequence) !== 1) {
      return `has sequence ${firstSequence} after ${before.lastSequence}`;
    }
  }
  return undefined;
}

/** How far `to` is ahead of `from`; sequences wrap. */
function ahead(from: number, to: number): number {
  return (to - from + SEQUENCE_MODULUS) % SEQUENCE_MODULUS;
}
