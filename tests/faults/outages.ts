/**
 * The outages of the fault tests, each on real processes: MinIO, a proxy in front of it, a broker.
 * Each comes, lasts and goes by itself; nobody does anything for recovery.
 */
import type { BrokerProcess } from "../clients/broker_process.ts";
import type { Fault, Rule } from "../services/fault_program.ts";
import type { FaultProxy } from "../services/fault_proxy.ts";
import type { Minio } from "../services/minio.ts";
import type { Prng } from "../simulation/prng.ts";

export interface World {
  readonly minio: Minio;
  readonly proxy: FaultProxy;
  readonly broker: BrokerProcess;
  readonly random: Prng;
}

export interface Outage {
  readonly name: string;
  /** The broker is started anew. */
  readonly endsBroker?: true;
  /** Resolves when it is over. */
  run(world: World, lastsMs: number): Promise<void>;
}

export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** Rules in force for a while. */
function weather(name: string, rules: readonly Rule[]): Outage {
  return {
    name,
    run: async ({ proxy }, lastsMs) => {
      for (const rule of rules) proxy.add(rule);
      await pause(lastsMs);
      proxy.clear();
    },
  };
}

const chance = (part: number, fault: Fault): Rule => ({ chance: part, fault });

/** A bit of everything that a request can suffer. */
const STORM: readonly Rule[] = [
  chance(0.12, { kind: "loseReply" }),
  chance(0.06, { kind: "late", ms: 300 }),
  chance(0.06, { kind: "cutRequest", afterBytes: 1_000 }),
  chance(0.06, { kind: "cutBefore" }),
  chance(0.06, { kind: "cutReply", afterBytes: 500 }),
  chance(0.05, { kind: "refuse", code: "InternalError" }),
  chance(0.05, { kind: "refuse", code: "OperationAborted" }),
  chance(0.02, { kind: "blackhole" }),
  chance(0.2, { kind: "delay", ms: 80 }),
  chance(0.1, { kind: "delayReply", ms: 150 }),
];

export const OUTAGES: readonly Outage[] = [
  weather("a storm of lost, late and cut requests", STORM),
  weather("every third reply is lost", [chance(0.33, { kind: "loseReply" })]),
  weather("the store is slow", [
    { fault: { kind: "delayReply", ms: 700 } },
  ]),
  weather("the store asks for less", [chance(0.7, { kind: "refuse", code: "SlowDown" })]),
  weather("the store refuses everything", [{ fault: { kind: "refuse", code: "AccessDenied" } }]),
  weather("a quarter of the requests gets no answer", [chance(0.25, { kind: "blackhole" })]),
  weather("the network is thin", [{ fault: { kind: "throttle", bytesPerSecond: 60_000 } }]),
  {
    name: "the network is cut",
    run: async ({ proxy }, lastsMs) => {
      proxy.sever();
      await pause(lastsMs);
      proxy.mend();
    },
  },
  {
    name: "MinIO is killed",
    run: async ({ minio }, lastsMs) => {
      await minio.kill();
      await pause(lastsMs);
      await minio.restart();
    },
  },
  {
    name: "MinIO is paused",
    run: async ({ minio }, lastsMs) => {
      await minio.pause();
      await pause(2 * lastsMs);
      minio.resume();
    },
  },
  {
    name: "the broker is killed, and starts in a storm",
    endsBroker: true,
    run: async ({ broker, proxy }, lastsMs) => {
      for (const rule of STORM) proxy.add(rule);
      await pause(lastsMs / 2);
      await broker.kill();
      await broker.restart();
      proxy.clear();
    },
  },
  {
    name: "the broker is killed twice",
    endsBroker: true,
    run: async ({ broker, random }, lastsMs) => {
      await broker.kill();
      await broker.restart();
      await pause(random.below(lastsMs / 4));
      await broker.kill();
      await broker.restart();
    },
  },
  {
    name: "broker and MinIO are killed, and the broker starts first",
    endsBroker: true,
    run: async ({ broker, minio }, lastsMs) => {
      await Promise.all([broker.kill(), minio.kill()]);
      const started = broker.restart();
      await pause(lastsMs / 2);
      await minio.restart();
      await started;
    },
  },
];
