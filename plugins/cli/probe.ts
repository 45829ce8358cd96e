/** `probe`: whether the store of the settings can carry a log, and how fast it is. */
import type { Config } from "../../core/config/mod.ts";
import { systemLog, systemRuntime } from "../../core/runtime/system.ts";
import { probeRunPrefix } from "../../core/storage/keys.ts";
import type { ObjectStore } from "../../core/storage/object_store.ts";
import {
  CREATE_ONCE,
  examine,
  type Figure,
  type Finding,
  measure,
  type OtherStore,
  type ProbeContext,
  type ProbeSizes,
  PROMISES,
  removeAll,
} from "../../core/storage/probe/mod.ts";
import { type Command, EXIT, type Invocation, UsageError } from "./command.ts";
import { loadConfig } from "./load_config.ts";
import { figureLine, FIGURES_HEAD, findingLines, judge, type Verdict } from "./probe_report.ts";

const KIB = 1024;
const MIB = 1024 * KIB;

/** What a run costs at most, besides time. */
const SIZES = {
  quick: { largeBytes: MIB, listKeys: 100 },
  usual: { largeBytes: 16 * MIB, listKeys: 1_100 },
  full: { largeBytes: 64 * MIB, listKeys: 5_000 },
} as const satisfies Record<string, ProbeSizes>;

/** Seconds of measuring. */
const SECONDS = { quick: 4, usual: 16, full: 40 } as const;
const FIGURE_BYTES = [KIB, 64 * KIB, MIB, 4 * MIB] as const;
/** Removing what was written may take so long after everything else. */
const REMOVE_MS_MAX = 60_000;

export const command: Command = {
  usage: "probe [flags]",
  summary: "Check and measure the object store that the settings name.",
  details: [
    "Tries every promise that a store must keep for a broker, then measures conditional creates " +
    "and reads. Works below <namespace>/.probe/run-<id>/ and removes that at the end, after " +
    "Ctrl-C too; a second Ctrl-C leaves it. Takes less than a minute and about 4,000 requests, " +
    "and may be used while brokers run on the bucket (but not with storage file).",
    "Exit code 0: a log can live there; 1: it cannot, or that could not be found out.",
  ],
  flags: [
    { name: "quick", kind: "switch", doc: "Smaller objects, shorter listings, 4 s of measuring." },
    {
      name: "full",
      kind: "switch",
      doc: "A 64 MiB object, a listing of 5,000 keys, 40 s of measuring.",
    },
    {
      name: "duration",
      kind: "whole",
      value: "SECONDS",
      doc: "Measure for so long; 0 measures nothing. Default 16.",
    },
    { name: "json", kind: "switch", doc: "Print one JSON object at the end." },
  ],
  takesSettings: true,
  examples: [
    "kafscale probe --s3-bucket my-bucket",
    "kafscale probe --quick",
    "kafscale probe --full --json",
  ],
  async run(invocation) {
    const { args } = invocation;
    args.atMost(0);
    if (args.on("quick") && args.on("full")) throw new UsageError("--quick or --full, not both");
    const scale = args.on("quick") ? "quick" : args.on("full") ? "full" : "usual";
    const seconds = args.whole("duration") ?? SECONDS[scale];
    const { config, warnings } = await loadConfig(invocation);
    for (const warning of warnings) console.error(`warning: ${warning}`);
    const store = await invocation.wiring.openStore(config, systemLog("error", true), "write");
    try {
      return await new Probe(invocation, config, store, SIZES[scale], seconds).run();
    } finally {
      await store.close();
    }
  },
};

/** One run, from the first case to the last deletion. */
class Probe {
  readonly #findings: Finding[] = [];
  readonly #figures: Figure[] = [];
  readonly #abort = new AbortController();
  readonly #runtime = systemRuntime(systemLog("error", true));
  readonly #prefix: string;
  readonly #json: boolean;

  constructor(
    readonly invocation: Invocation,
    readonly config: Config,
    readonly store: ObjectStore,
    readonly sizes: ProbeSizes,
    readonly seconds: number,
  ) {
    this.#prefix = probeRunPrefix(config.namespace, crypto.randomUUID().slice(0, 13));
    this.#json = invocation.args.on("json");
  }

  async run(): Promise<number> {
    const stop = () => {
      if (this.#abort.signal.aborted) Deno.exit(EXIT.interrupted);
      console.error(`interrupted: removing what is below ${this.#prefix}`);
      this.#abort.abort(new Error("interrupted"));
    };
    const signals: Deno.Signal[] = Deno.build.os === "windows" ? ["SIGINT"] : ["SIGINT", "SIGTERM"];
    for (const signal of signals) Deno.addSignalListener(signal, stop);
    try {
      this.#say(`storage ${this.#storeName()}, below ${this.#prefix}\n`);
      await this.#examineAll();
      await this.#measureAll();
    } catch (error) {
      if (!this.#abort.signal.aborted) throw error;
    } finally {
      await this.#remove();
      for (const signal of signals) Deno.removeSignalListener(signal, stop);
    }
    return this.#conclude();
  }

  async #examineAll(): Promise<void> {
    for (const promise of PROMISES) {
      const finding = await examine(promise, this.#context(), this.#abort.signal);
      this.#findings.push(finding);
      for (const line of findingLines(finding)) this.#say(line);
      // nothing else is worth the requests
      if (finding.name === CREATE_ONCE && finding.outcome !== "kept") return;
    }
  }

  async #measureAll(): Promise<void> {
    const { commitBytes, parallelUploads } = this.store.advice;
    const kinds = [
      ...FIGURE_BYTES.map((bytes) => ({ bytes, parallel: 1 })),
      { bytes: commitBytes, parallel: parallelUploads },
    ];
    if (this.seconds === 0 || judge(this.#findings, [], this.config, this.store.advice).unfit) {
      return;
    }
    this.#say(`\n${FIGURES_HEAD}`);
    const durationMs = this.seconds * 1000 / (2 * kinds.length);
    for (const { bytes, parallel } of kinds) {
      const keys: string[] = [];
      for (const operation of ["create", "get"] as const) {
        const figure = await measure({
          store: this.store,
          runtime: this.#runtime,
          prefix: `${this.#prefix}figures/`,
          keys,
          operation,
          bytes,
          parallel,
          durationMs,
          signal: this.#abort.signal,
        });
        if (figure === undefined) break;
        this.#figures.push(figure);
        this.#say(figureLine(figure));
      }
    }
  }

  #context(): ProbeContext {
    return {
      store: this.store,
      runtime: this.#runtime,
      prefix: this.#prefix,
      sizes: this.sizes,
      openOther: (which) => this.#openOther(which),
    };
  }

  async #openOther(which: OtherStore): Promise<ObjectStore | undefined> {
    const { config } = this;
    const open = (changed: Partial<Config>) =>
      this.invocation.wiring.openStore({ ...config, ...changed }, this.#runtime.log, "write");
    if (which === "again") return config.storage === "file" ? undefined : await open({});
    if (config.storage !== "s3" && config.storage !== "minio") return undefined;
    if (which === "missing bucket") {
      return await open({ s3Bucket: `kafscale-probe-${crypto.randomUUID()}` });
    }
    const s3AccessKey = config.s3AccessKey ?? "AKIAKAFSCALEPROBE000";
    return await open({ s3AccessKey, s3SecretKey: "a wrong one", s3SessionToken: null });
  }

  /** Whatever happened before: nothing stays, or it is said what does. */
  async #remove(): Promise<void> {
    const signal = AbortSignal.timeout(REMOVE_MS_MAX);
    const o = { store: this.store, runtime: this.#runtime, signal };
    try {
      const left = await removeAll(o, this.#prefix);
      if (left > 0) console.error(`warning: ${left} objects are left below ${this.#prefix}`);
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      console.error(`warning: something may be left below ${this.#prefix}: ${why}`);
    }
  }

  #conclude(): number {
    if (this.#abort.signal.aborted) return EXIT.interrupted;
    const verdict = judge(this.#findings, this.#figures, this.config, this.store.advice);
    if (this.#json) console.log(JSON.stringify(this.#result(verdict), undefined, 2));
    else console.log(["", verdict.sentence, ...verdict.advice].join("\n"));
    return verdict.unfit ? EXIT.failed : EXIT.ok;
  }

  #result({ unfit, sentence, advice }: Verdict) {
    return {
      storage: this.#storeName(),
      prefix: this.#prefix,
      fit: !unfit,
      verdict: sentence,
      advice,
      promises: this.#findings,
      figures: this.#figures,
    };
  }

  #storeName(): string {
    const { storage, s3Bucket, s3Endpoint, dataDir } = this.config;
    if (storage === "file") return `${storage} in ${dataDir}`;
    if (s3Bucket === null || (storage !== "s3" && storage !== "minio")) return storage;
    return `${storage}, bucket ${s3Bucket}${s3Endpoint === null ? "" : ` at ${s3Endpoint}`}`;
  }

  #say(line: string): void {
    if (!this.#json) console.log(line);
  }
}
