/** What clients wrote to and read from one topic since the broker started; only grows. */
export interface TopicTraffic {
  producedRecords: number;
  /** Record batches as they are stored; counted when they are committed. */
  producedBytes: number;
  fetchedBytes: number;
}

/** The traffic of all topics by id: a small object each, shared by the topic's partitions. */
export class TrafficByTopic {
  readonly #topics = new Map<string, TopicTraffic>();

  of(topicId: string): TopicTraffic {
    let traffic = this.#topics.get(topicId);
    if (traffic === undefined) {
      traffic = { producedRecords: 0, producedBytes: 0, fetchedBytes: 0 };
      this.#topics.set(topicId, traffic);
    }
    return traffic;
  }

  /** Of the topics of which a partition was used. */
  entries(): Iterable<[topicId: string, traffic: TopicTraffic]> {
    return this.#topics.entries();
  }

  forget(topicId: string): void {
    this.#topics.delete(topicId);
  }
}
