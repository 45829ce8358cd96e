import type { z } from "zod";
import type { BrokerView, TopicView } from "../../core/plugin/mod.ts";
import type { TopicDetail, Topics } from "./answers.ts";

function shown({ name, topicId, partitionCount, configs }: TopicView) {
  return { name, topicId, partitions: partitionCount, configs: { ...configs } };
}

export function listTopics(
  broker: BrokerView,
  limit: number,
  after: string,
): z.infer<typeof Topics> {
  const rest = broker.topics().filter(({ name }) => name > after);
  const page = rest.slice(0, limit);
  return {
    topics: page.map(shown),
    next: rest.length > page.length ? page.at(-1)?.name ?? after : null,
  };
}

/** Undefined where there is no such topic. */
export async function describeTopic(
  broker: BrokerView,
  name: string,
  from: number,
  limit: number,
): Promise<z.infer<typeof TopicDetail> | undefined> {
  const topic = broker.topic(name);
  if (topic === undefined) return undefined;
  const found = await broker.partitions(topic, from, from + limit);
  const next = from + found.length;
  return {
    ...shown(topic),
    partitionDetails: found.map((partition) => ({ ...partition })),
    next: next < topic.partitionCount ? next : null,
  };
}
