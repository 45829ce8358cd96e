/** What the commands that talk to a broker share: address, client options, errors as sentences. */
import type { BaseOptions } from "@platformatic/kafka";
import { advertisedAddress, listenAddress } from "../../core/config/mod.ts";
import { CliError, type Flag, type Invocation } from "./command.ts";
import { environmentConfig } from "./load_config.ts";

/** Answers that take longer than this are an error. */
const TIMEOUT_MS = 30_000;

export const BOOTSTRAP_FLAG: Flag = {
  name: "bootstrap-server",
  short: "b",
  kind: "text",
  value: "HOST:PORT",
  doc: "Where the broker is; several with commas. Default: where `start` listens with the same " +
    "environment, 127.0.0.1:9092.",
};

/** The broker that the command line names. */
export function bootstrap({ args, env }: Invocation): string {
  return args.text("bootstrap-server") ?? defaultBootstrap(env);
}

/** The options of a client for that broker, or for another one. */
export function clientOptions(invocation: Invocation, broker = bootstrap(invocation)): BaseOptions {
  return {
    clientId: "kafscale-cli",
    bootstrapBrokers: broker.split(","),
    timeout: TIMEOUT_MS,
    connectTimeout: 5_000,
    retries: 3,
    retryDelay: 300,
    // a command that only reads must not bring a mistyped topic into being
    autocreateTopics: false,
  };
}

function defaultBootstrap(env: Invocation["env"]): string {
  const { config } = environmentConfig(env);
  const { host, port } = advertisedAddress(config, listenAddress(config));
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}

/** Runs `use` and closes the client whatever happens; the library's errors become sentences. */
export async function withClient<R>(
  client: { close(): Promise<void> },
  invocation: Invocation,
  use: () => Promise<R>,
  broker = bootstrap(invocation),
): Promise<R> {
  try {
    return await use();
  } catch (error) {
    throw sentence(error, broker);
  } finally {
    await client.close().catch(() => {});
  }
}

/** The error inside, without the layers that a client library wraps around it. */
export function sentence(error: unknown, broker: string): unknown {
  if (error instanceof CliError) return error;
  const causes = [...causesOf(error)];
  const protocol = answerIn(error);
  if (protocol !== undefined) {
    const said = protocol.serverErrorMessage ?? protocol.message;
    return new CliError(`the broker answered ${protocol.apiId}: ${said}`);
  }
  if (causes.some((cause) => cause.code === "PLT_KFK_NETWORK" || cause.code === "ECONNREFUSED")) {
    return new CliError(
      `cannot reach a broker at ${broker}; start one, or name another with --bootstrap-server`,
    );
  }
  const message = (causes.at(-1)?.message ?? String(error)).replace(/\.$/, "");
  const topic = /^Unknown topic (\S+)$/.exec(message)?.[1];
  return new CliError(
    topic === undefined ? message : `there is no topic ${topic}; see topics list`,
  );
}

/** What an error of the client library may have, and the errors inside of it. */
export interface ClientError {
  readonly message: string;
  readonly code?: unknown;
  /** Kafka's name of the error, on protocol errors. */
  readonly apiId?: unknown;
  readonly serverErrorMessage?: string | null;
  readonly canRetry?: unknown;
  /** The member has to join its group again. */
  readonly needsRejoin?: unknown;
}

/** The error and all that are inside of it, outer ones first. */
export function* causesOf(error: unknown): Iterable<ClientError> {
  if (!(error instanceof Error)) return;
  yield error as ClientError;
  if (error.cause !== undefined) yield* causesOf(error.cause);
  if (error instanceof AggregateError) { for (const inner of error.errors) yield* causesOf(inner); }
}

/** The broker's answer that an error of the library is about. */
export function answerIn(error: unknown): ClientError | undefined {
  return [...causesOf(error)].find((cause) => typeof cause.apiId === "string");
}

/** What a broker says that starts or hands a group over; it is asked again for so long. */
const PASSING: readonly unknown[] = [
  "COORDINATOR_LOAD_IN_PROGRESS",
  "COORDINATOR_NOT_AVAILABLE",
  "NOT_COORDINATOR",
];
const PASSING_MS = 15_000;
const PAUSE_MS = 300;

export function noCoordinator(answer: ClientError | undefined): boolean {
  return PASSING.includes(answer?.apiId);
}

/** Asks a group's coordinator, again while there is none that knows the group. */
export async function askCoordinator<R>(ask: () => Promise<R>, forMs = PASSING_MS): Promise<R> {
  for (const end = performance.now() + forMs;;) {
    try {
      return await ask();
    } catch (error) {
      if (!noCoordinator(answerIn(error)) || performance.now() > end) throw error;
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
    }
  }
}

/** Resolves at the first SIGINT or SIGTERM; `stop` gives the signals back. */
export function interruption(): { readonly signal: AbortSignal; stop(): void } {
  const controller = new AbortController();
  const abort = () => controller.abort();
  const signals: Deno.Signal[] = Deno.build.os === "windows" ? ["SIGINT"] : ["SIGINT", "SIGTERM"];
  for (const signal of signals) Deno.addSignalListener(signal, abort);
  return {
    signal: controller.signal,
    stop: () => {
      for (const signal of signals) Deno.removeSignalListener(signal, abort);
    },
  };
}
