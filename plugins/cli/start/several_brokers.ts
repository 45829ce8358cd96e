/**
 * `start --cluster 3`: brokers of one process that share its stores, each of which can be stopped,
 * killed and started again while the others serve.
 */
import {
  advertisedAddress,
  type Config,
  listenAddress,
  processBrokers,
} from "../../../core/config/mod.ts";
import type { Log } from "../../../core/runtime/mod.ts";
import { CliError, type ProcessBroker, type ProcessBrokers, type Wiring } from "../command.ts";
import { listenError } from "./listen_error.ts";

/** `serving` while there is a broker; else how the last one ended. */
type State = "serving" | "stopped" | "killed" | "failed";

interface Member {
  /** With the address that it had first, so that clients find it again. */
  config: Config;
  readonly log: Log;
  state: State;
  broker: ProcessBroker | undefined;
}

/** What there is to know of one of them. */
export interface MemberView {
  readonly id: number;
  readonly address: string;
  readonly state: State;
  readonly leads: number;
  readonly controls: boolean;
}

export class SeveralBrokers {
  readonly #members: readonly Member[];
  readonly #failed = Promise.withResolvers<void>();
  /** Changes go one after the other. */
  #last: Promise<unknown> = Promise.resolve();

  private constructor(private readonly shared: ProcessBrokers, config: Config, log: Log) {
    this.#members = processBrokers(config).map((each): Member => ({
      config: each,
      log: tagged(log, each.brokerId),
      state: "stopped",
      broker: undefined,
    }));
  }

  /** Starts them all; rejects with one sentence, and leaves none behind, where one cannot. */
  static async start(wiring: Wiring, config: Config, log: Log): Promise<SeveralBrokers> {
    const brokers = new SeveralBrokers(await wiring.openBrokers(config, log), config, log);
    const [first, ...others] = brokers.#members;
    try {
      // alone, so that it is the controller, and what is wrong with all of them is said once
      await brokers.#open(first!);
      const outcomes = await Promise.allSettled(others.map((each) => brokers.#open(each)));
      for (const each of outcomes) if (each.status === "rejected") throw each.reason;
      return brokers;
    } catch (error) {
      await brokers.stop();
      throw error;
    }
  }

  get count(): number {
    return this.#members.length;
  }

  /** What a client is given: every broker's address. */
  get bootstrap(): string {
    return this.#members.map(({ config }) => addressOf(config)).join(",");
  }

  /** Resolves when the last broker that served could not go on. */
  get failed(): Promise<void> {
    return this.#failed.promise;
  }

  list(): MemberView[] {
    return this.#members.map(({ config, state, broker }) => ({
      id: config.brokerId,
      address: addressOf(config),
      state,
      leads: broker?.leads() ?? 0,
      controls: broker?.controls() ?? false,
    }));
  }

  /** Whether there is one that serves. */
  get serving(): boolean {
    return this.#members.some(({ broker }) => broker !== undefined);
  }

  /** Its partitions go to the others first. */
  stopOne(id: number): Promise<void> {
    return this.#inTurn(async () => {
      const broker = this.#end(this.#serving(id), "stopped");
      // nobody else is left: it must not wait for the dead
      if (!this.serving) await this.shared.expireKilled();
      await broker.drain();
      await broker.stop();
    });
  }

  /** As a crash would; returns how long the others wait before they take over, in milliseconds. */
  killOne(id: number): Promise<number> {
    return this.#inTurn(async () => {
      const member = this.#serving(id);
      await this.#end(member, "killed").kill();
      return member.config.brokerLeaseMs;
    });
  }

  /** Resolves with where it serves. */
  startOne(id: number): Promise<string> {
    return this.#inTurn(async () => {
      const member = this.#member(id);
      if (member.broker !== undefined) throw new CliError(`broker ${id} serves already`);
      await this.#open(member);
      return addressOf(member.config);
    });
  }

  /** Nothing that `stop` doesn't do: what each gives away depends on who is left. */
  drain(): Promise<void> {
    return Promise.resolve();
  }

  /** Ends all, one after the other: each hands over to those that are left. */
  stop(): Promise<void> {
    return this.#inTurn(async () => {
      // nobody waits for the dead: what they led is not handed to anyone any more
      await this.shared.expireKilled();
      for (const member of this.#members.toReversed()) {
        if (member.broker === undefined) continue;
        const broker = this.#end(member, "stopped");
        await broker.drain();
        await broker.stop();
      }
      await this.shared.close();
    });
  }

  async #open(member: Member): Promise<void> {
    const { config, log } = member;
    const broker = await this.shared.start(config, log).catch((error) => {
      throw listenError(error, config.brokerAddr);
    });
    member.config = { ...config, brokerAddr: atPort(config.brokerAddr, broker.port) };
    member.broker = broker;
    member.state = "serving";
    void broker.failed.then(() => this.#inTurn(() => this.#gaveUp(member, broker)));
  }

  /** A broker that cannot go on ends alone. */
  async #gaveUp(member: Member, broker: ProcessBroker): Promise<void> {
    if (member.broker !== broker) return;
    await this.#end(member, "failed").kill();
    if (!this.serving) this.#failed.resolve();
  }

  #end(member: Member, state: State): ProcessBroker {
    const broker = member.broker!;
    member.broker = undefined;
    member.state = state;
    return broker;
  }

  #serving(id: number): Member {
    const member = this.#member(id);
    if (member.broker === undefined) throw new CliError(`broker ${id} is ${member.state} already`);
    return member;
  }

  #member(id: number): Member {
    const member = this.#members.find(({ config }) => config.brokerId === id);
    if (member !== undefined) return member;
    const ids = this.#members.map(({ config }) => config.brokerId).join(", ");
    throw new CliError(`there is no broker ${id}; there are ${ids}`);
  }

  #inTurn<T>(change: () => Promise<T>): Promise<T> {
    const turn = this.#last.then(change);
    this.#last = turn.catch(() => {});
    return turn;
  }
}

/** What clients are told. */
function addressOf(config: Config): string {
  const { host, port } = advertisedAddress(config, listenAddress(config));
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}

function atPort(address: string, port: number): string {
  return `${address.slice(0, address.lastIndexOf(":"))}:${port}`;
}

/** Lines of several brokers in one log are told apart. */
function tagged(log: Log, broker: number): Log {
  return {
    debug: (message, fields) => log.debug(message, { broker, ...fields }),
    info: (message, fields) => log.info(message, { broker, ...fields }),
    warn: (message, fields) => log.warn(message, { broker, ...fields }),
    error: (message, fields) => log.error(message, { broker, ...fields }),
  };
}
