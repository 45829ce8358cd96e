/**
 * Every key layout of the bucket, in one place (DESIGN 1).
 *
 * ```
 * <namespace>/.wal/<brokerId>/<brokerEpoch %010d>/<slot %020d>.wal   commit log chain
 * <namespace>/.wal/generation-<generation %010d>                     metadata was restored
 * <namespace>/<topic>/<partition>/segment-<baseOffset %020d>.kfs     segment, and its .index
 * <namespace>/<topic>/<partition>/manifest-<sequence %020d>          checkpoint
 * <namespace>/.probe/<brokerId>/<nonce>                              start-up write check
 * <namespace>/.probe/<brokerId>/health                               what a health probe writes
 * <namespace>/.probe/run-<id>/                                       a run of `kafscale probe`
 * ```
 * `<topic>` is the topic's directory: its name, or `<name>~<short topic id>` where the name was
 * used before (I8). Topic names cannot hold `/` or `~`, so directories never meet.
 */

const pad = (value: number, width: number): string => String(value).padStart(width, "0");

export function chainPrefix(namespace: string, brokerId: number, brokerEpoch: number): string {
  return `${chainsPrefix(namespace, brokerId)}${pad(brokerEpoch, 10)}/`;
}

export function slotKey(
  namespace: string,
  brokerId: number,
  brokerEpoch: number,
  slot: number,
): string {
  return `${chainPrefix(namespace, brokerId, brokerEpoch)}${pad(slot, 20)}.wal`;
}

/** All chains of all brokers lie below it. */
export function walPrefix(namespace: string): string {
  return `${namespace}/.wal/`;
}

/** Keys of generations of metadata (docs/decisions/0011) begin so. */
export function generationsPrefix(namespace: string): string {
  return `${walPrefix(namespace)}generation-`;
}

export function generationKey(namespace: string, generation: number): string {
  return generationsPrefix(namespace) + pad(generation, 10);
}

/** Broker, broker epoch and slot of a key below `walPrefix`; undefined for another shape. */
export function chainSlotOfKey(
  namespace: string,
  key: string,
): { brokerId: number; brokerEpoch: number; slot: number } | undefined {
  const match = /^(0|[1-9]\d*)\/(\d{10})\/(\d{20})\.wal$/.exec(
    key.slice(walPrefix(namespace).length),
  );
  if (match === null) return undefined;
  const [brokerId, brokerEpoch, slot] = match.slice(1).map(Number) as [number, number, number];
  return { brokerId, brokerEpoch, slot };
}

/** The slot of a chain's object; undefined for a key of another shape. */
export function slotOfKey(key: string): number | undefined {
  const match = /\/(\d{20})\.wal$/.exec(key);
  return match === null ? undefined : Number(match[1]);
}

export function topicPrefix(namespace: string, directory: string): string {
  return `${namespace}/${directory}/`;
}

export function partitionPrefix(namespace: string, directory: string, partition: number): string {
  return `${namespace}/${directory}/${partition}/`;
}

export function segmentKey(partitionPrefix: string, baseOffset: number): string {
  return `${partitionPrefix}segment-${pad(baseOffset, 20)}.kfs`;
}

export function indexKey(partitionPrefix: string, baseOffset: number): string {
  return `${partitionPrefix}segment-${pad(baseOffset, 20)}.index`;
}

export interface SegmentObject {
  readonly baseOffset: number;
  readonly kind: "kfs" | "index";
}

/** What a segment's or an index's key says; undefined for a key of another shape. */
export function segmentOfKey(key: string): SegmentObject | undefined {
  const match = /\/segment-(\d{20})\.(kfs|index)$/.exec(key);
  if (match === null) return undefined;
  return { baseOffset: Number(match[1]), kind: match[2] as SegmentObject["kind"] };
}

export function manifestPrefix(partitionPrefix: string): string {
  return `${partitionPrefix}manifest-`;
}

export function manifestKey(partitionPrefix: string, sequence: number): string {
  return `${partitionPrefix}manifest-${pad(sequence, 20)}`;
}

/** Directory, partition and the rest of a key in a partition's directory; undefined elsewhere. */
export function partitionOfKey(
  namespace: string,
  key: string,
): { directory: string; partition: number; name: string } | undefined {
  const match = /^([^/]+)\/(0|[1-9]\d*)\/([^/]+)$/.exec(key.slice(namespace.length + 1));
  if (match === null) return undefined;
  return { directory: match[1]!, partition: Number(match[2]), name: match[3]! };
}

/** The sequence of a manifest's key; undefined for a key of another shape. */
export function sequenceOfKey(key: string): number | undefined {
  const match = /\/manifest-(\d{20})$/.exec(key);
  return match === null ? undefined : Number(match[1]);
}

/** Below it lie the chains of all incarnations of a broker. */
export function chainsPrefix(namespace: string, brokerId: number): string {
  return `${walPrefix(namespace)}${brokerId}/`;
}

export function probePrefix(namespace: string): string {
  return `${namespace}/.probe/`;
}

export function probeKey(namespace: string, brokerId: number): string {
  return probePrefix(namespace) + brokerId;
}

export function healthProbeKey(namespace: string, brokerId: number): string {
  return `${probeKey(namespace, brokerId)}/health`;
}

export function probeRunPrefix(namespace: string, id: string): string {
  return `${namespace}/.probe/run-${id}/`;
}
