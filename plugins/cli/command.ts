/** What a command is, and what it is given. */
import type { Config } from "../../core/config/mod.ts";
import type { MetadataStore } from "../../core/metadata/metadata_store.ts";
import type { Log, Runtime } from "../../core/runtime/mod.ts";
import type { ObjectStore } from "../../core/storage/object_store.ts";
import type { ParsedArguments } from "./arguments.ts";

/** One flag of a command, besides the settings. */
export interface Flag {
  readonly name: string;
  /** One letter. */
  readonly short?: string;
  /** `switch` takes no value; `list` may be given several times. */
  readonly kind: "switch" | "text" | "whole" | "list";
  /** Stands for the value in the help. */
  readonly value?: string;
  readonly doc: string;
}

/** A broker that serves. */
export interface RunningBroker {
  readonly host: string;
  readonly port: number;
  /** Resolves with the reason when the broker cannot go on by itself. */
  readonly failed: Promise<unknown>;
  /** Answers what was accepted, then serves nothing more. */
  drain(): Promise<void>;
  /** Ends everything that is left; after it the process may exit. */
  stop(): Promise<void>;
}

/** One of several brokers of this process. */
export interface ProcessBroker extends RunningBroker {
  /** How many partitions it leads; costs a look at all of them. */
  leads(): number;
  /** Whether it is the cluster's controller. */
  controls(): boolean;
  /** Ends it as a crash would: nothing is given away, and its lease runs out by itself. */
  kill(): Promise<void>;
}

/** What the brokers of this process share. */
export interface ProcessBrokers {
  /** The next life of the broker that `config` names. */
  start(config: Config, log: Log): Promise<ProcessBroker>;
  /** Lets the leases of killed brokers end now. */
  expireKilled(): Promise<void>;
  /** After every broker has ended. */
  close(): Promise<void>;
}

/** What main.ts puts together; commands see neither drivers nor the composition. */
export interface Wiring {
  readonly version: string;
  /** What the binary was built from; undefined when run from source. */
  readonly commit: string | undefined;
  /** A listening broker on the drivers that the settings name. */
  startBroker(config: Config, log: Log): Promise<RunningBroker>;
  /** The drivers that the settings name, for several brokers. */
  openBrokers(config: Config, log: Log): Promise<ProcessBrokers>;
  /** The object store alone; for `read` it may be in use by a broker. */
  openStore(config: Config, log: Log, access: "read" | "write"): Promise<ObjectStore>;
  /** Where snapshots go, if that is a bucket of their own. */
  openSnapshotBucket(
    config: Config,
    log: Log,
  ): Promise<{ readonly store: ObjectStore; prepare(): Promise<void> } | undefined>;
  /** The metadata store alone; for `read` it may be in use by a broker. */
  openMetadata(config: Config, log: Log, access: "read" | "write"): Promise<MetadataStore>;
  /** Store and metadata, to look at or, where `exclusive`, to repair. */
  openData(config: Config, log: Log, exclusive: boolean): Promise<OpenedData>;
}

/** What a broker that is not running, or not ours, works on. */
export interface OpenedData {
  readonly runtime: Runtime;
  readonly store: ObjectStore;
  /** The metadata as it is now; the store of an earlier call is closed by the next. */
  metadata(): Promise<MetadataStore>;
  close(): Promise<void>;
}

export interface Invocation {
  readonly args: ParsedArguments;
  readonly env: Readonly<Record<string, string>>;
  readonly wiring: Wiring;
}

export interface Command {
  /** `produce TOPIC [flags]`. */
  readonly usage: string;
  readonly summary: string;
  /** More than the summary says; paragraphs. */
  readonly details?: readonly string[];
  /** What may stand first, for the completion of shells. */
  readonly actions?: readonly string[];
  readonly flags: readonly Flag[];
  /** Whether every setting is a flag too. */
  readonly takesSettings: boolean;
  readonly examples: readonly string[];
  /** The exit code. */
  run(invocation: Invocation): Promise<number> | number;
}

/** Documented in `kafscale --help`. */
export const EXIT = { ok: 0, failed: 1, usage: 2, interrupted: 130 } as const;

/** One sentence for the person who ran the command: what is wrong and what to do. */
export class CliError extends Error {
  override name = "CliError";

  constructor(message: string, readonly exitCode: number = EXIT.failed) {
    super(message);
  }
}

/** A command line that cannot be understood. */
export class UsageError extends CliError {
  constructor(message: string) {
    super(message, EXIT.usage);
  }
}
