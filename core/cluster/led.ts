/** Which partitions this incarnation leads, and in which leader epoch. Pure: no I/O, no time. */
export class Led {
  /** Topic id → partition → leader epoch. */
  readonly #led = new Map<string, Map<number, number>>();
  /** The same, of the greatest one in which it led or tried to. */
  readonly #tried = new Map<string, Map<number, number>>();

  /** -1 when it isn't led. */
  epoch(topicId: string, partition: number): number {
    return this.#led.get(topicId)?.get(partition) ?? -1;
  }

  /** -1 when it was never tried. */
  triedEpoch(topicId: string, partition: number): number {
    return this.#tried.get(topicId)?.get(partition) ?? -1;
  }

  /** A write that would make it the leader in `epoch` is about to be sent. */
  tries(topicId: string, partition: number, epoch: number): void {
    const tried = of(this.#tried, topicId);
    tried.set(partition, Math.max(epoch, tried.get(partition) ?? -1));
  }

  lead(topicId: string, partition: number, epoch: number): void {
    this.tries(topicId, partition, epoch);
    of(this.#led, topicId).set(partition, epoch);
  }

  /** Whether it was led. */
  lose(topicId: string, partition: number): boolean {
    const partitions = this.#led.get(topicId);
    if (!partitions?.delete(partition)) return false;
    if (partitions.size === 0) this.#led.delete(topicId);
    return true;
  }

  /** What was tried of topics that are gone for good. */
  forget(gone: (topicId: string) => boolean): void {
    for (const topicId of this.#tried.keys()) {
      if (!this.#led.has(topicId) && gone(topicId)) this.#tried.delete(topicId);
    }
  }

  /** A copy, so that what is listed may be lost meanwhile. */
  all(): { readonly topicId: string; readonly partition: number; readonly epoch: number }[] {
    return [...this.#led].flatMap(([topicId, partitions]) =>
      [...partitions].map(([partition, epoch]) => ({ topicId, partition, epoch }))
    );
  }
}

function of(
  topics: Map<string, Map<number, number>>,
  topicId: string,
): Map<number, number> {
  let partitions = topics.get(topicId);
  if (partitions === undefined) topics.set(topicId, partitions = new Map());
  return partitions;
}
