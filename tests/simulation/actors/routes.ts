/**
 * Which broker a client asks: one alone, or in a cluster any, the leader of a partition, or a
 * group's coordinator, as the last answer of Metadata or FindCoordinator said. What is known may be
 * out of date, and now and then a client asks the wrong one on purpose.
 */
import { metadata } from "../../../core/protocol/messages/03_metadata.ts";
import { findCoordinator } from "../../../core/protocol/messages/10_find_coordinator.ts";
import type { Prng } from "../prng.ts";
import { Unanswered, type Wire } from "../wire.ts";

export type Destination =
  | { readonly kind: "any" }
  | { readonly kind: "leader"; readonly topicId: string; readonly partition: number }
  | { readonly kind: "coordinator"; readonly group: string };

export const ANY: Destination = { kind: "any" };

const LOOK_UP_MS = 2_000;
const ANOTHER_CHANCE = 0.2;

export class Routes {
  readonly #known = new Map<string, number>();
  #any: number | undefined;

  constructor(
    readonly ports: readonly number[],
    readonly astrayChance: number,
    readonly prng: Prng,
    readonly open: (port: number) => Promise<Wire | undefined>,
  ) {}

  /** Undefined where nobody can say at the moment. */
  async port(to: Destination): Promise<number | undefined> {
    if (this.ports.length === 1) return this.ports[0]!;
    if (to.kind === "any" || this.prng.chance(this.astrayChance)) return this.#anyPort();
    const known = this.#known.get(nameOf(to));
    if (known !== undefined) return known;
    const found = await this.#lookUp(to);
    if (found === undefined) this.#any = undefined;
    else this.#known.set(nameOf(to), found);
    return found;
  }

  /** Who was asked there was the wrong one, or gave no answer. */
  forget(to: Destination): void {
    if (to.kind === "any") this.#any = undefined;
    else this.#known.delete(nameOf(to));
  }

  #anyPort(): number {
    if (this.#any === undefined || this.prng.chance(ANOTHER_CHANCE)) {
      this.#any = this.prng.pick(this.ports);
    }
    return this.#any;
  }

  async #lookUp(to: Destination): Promise<number | undefined> {
    const wire = await this.open(this.#anyPort());
    if (wire === undefined) return undefined;
    try {
      return to.kind === "leader"
        ? await leaderPort(wire, to.topicId, to.partition)
        : to.kind === "coordinator"
        ? await coordinatorPort(wire, to.group)
        : undefined;
    } catch (error) {
      if (!(error instanceof Unanswered)) throw error;
      return undefined;
    }
  }
}

async function leaderPort(wire: Wire, topicId: string, partition: number) {
  const body = { topics: [{ topicId, name: null }], allowAutoTopicCreation: false };
  const answer = await wire.request(metadata, metadata.maxVersion, body, LOOK_UP_MS);
  const found = answer.topics[0]?.partitions.find((each) => each.partitionIndex === partition);
  return answer.brokers.find(({ nodeId }) => nodeId === found?.leaderId)?.port;
}

async function coordinatorPort(wire: Wire, group: string) {
  const body = { keyType: 0, coordinatorKeys: [group] };
  const version = findCoordinator.maxVersion;
  const answer = await wire.request(findCoordinator, version, body, LOOK_UP_MS);
  const found = answer.coordinators[0];
  return found?.errorCode === 0 ? found.port : undefined;
}

function nameOf(to: Destination): string {
  return to.kind === "leader"
    ? `${to.topicId}/${to.partition}`
    : to.kind === "coordinator"
    ? `group ${to.group}`
    : "any";
}
