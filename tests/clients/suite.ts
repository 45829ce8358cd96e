/**
 * Registers the common scenarios as tests of one client. All scenarios of a client run at the same
 * time (most of what they take is waiting for rebalances); each test reports its own.
 */
import { Agent, type CommandName } from "./agent.ts";
import { BrokerCluster, type Services } from "./broker_cluster.ts";
import { type BrokerOptions, BrokerProcess } from "./broker_process.ts";
import { adminScenarios } from "./scenarios/admin.ts";
import { errorScenarios } from "./scenarios/errors.ts";
import { groupScenarios } from "./scenarios/groups.ts";
import { recordScenarios } from "./scenarios/records.ts";

/** What a scenario works with. */
export interface Context {
  readonly agent: Agent;
  /** One broker's address, or several, separated by commas. */
  readonly bootstrap: string;
  /** A topic or group name that no other scenario uses. */
  name(what: string): string;
}

/** One criterion. */
export interface Scenario {
  readonly criterion: string;
  /** Commands and features without which the client can't do it. */
  readonly needs: readonly (CommandName | Feature)[];
  run(context: Context): Promise<void>;
}

/**
 * What clients differ in. "strict": can refuse an offset out of range. "offsets": tells where each
 * record went. "dupHeaders", "nullHeaders": can send a header name twice, a null header value.
 * "empty": tells an empty key or value from a null one.
 */
export type Feature =
  | "gzip"
  | "snappy"
  | "lz4"
  | "zstd"
  | "dupHeaders"
  | "empty"
  | "nullHeaders"
  | "offsets"
  | "strict"
  | "assignors"
  | "static"
  | "maxTimestamp";

/** Settings of the broker that the suites share: what waits in Kafka's defaults is shortened. */
export const SUITE_SETTINGS: NonNullable<BrokerOptions["env"]> = {
  KAFSCALE_AUTO_CREATE_TOPICS: "false",
  KAFSCALE_GROUP_INITIAL_REBALANCE_DELAY_MS: "100",
};

/**
 * A broker for one test file: the one named by KAFSCALE_TEST_BOOTSTRAP; or a cluster of three on
 * the services in KAFSCALE_TEST_CLUSTER (`deno task test --cluster`); or a fresh one.
 */
export async function openBroker(
  options: BrokerOptions = { env: SUITE_SETTINGS },
): Promise<{ bootstrap: string; process: BrokerProcess | undefined; close(): Promise<void> }> {
  const given = Deno.env.get("KAFSCALE_TEST_BOOTSTRAP");
  if (given !== undefined) {
    return { bootstrap: given, process: undefined, close: () => Promise.resolve() };
  }
  const services = Deno.env.get("KAFSCALE_TEST_CLUSTER");
  if (services !== undefined) {
    const { env = {} } = options;
    const cluster = await BrokerCluster.start(JSON.parse(services) as Services, { env });
    const { bootstrap, brokers } = cluster;
    return { bootstrap, process: brokers[0], close: () => cluster.close() };
  }
  const process = await BrokerProcess.start(options);
  return { bootstrap: process.bootstrap, process, close: () => process.stop().then(() => {}) };
}

/** A client under test. */
export interface ClientUnderTest {
  readonly client: string;
  /** Commands and features that the client is known to have: what it lost is a failure. */
  readonly can: readonly string[];
  start(bootstrap: string): Promise<Agent>;
}

const ALL: readonly Scenario[] = [
  ...recordScenarios,
  ...groupScenarios,
  ...adminScenarios,
  ...errorScenarios,
];

/** One test for each scenario that the client can do. */
export function testClient(under: ClientUnderTest): void {
  const scenarios = ALL.filter(({ needs }) => needs.every((need) => under.can.includes(need)));
  let opened: Promise<Opened> | undefined;
  for (const scenario of scenarios) {
    Deno.test({
      name: `${under.client}: ${scenario.criterion}`,
      // The processes live from the first test to the last.
      sanitizeOps: false,
      sanitizeResources: false,
      fn: async () => {
        opened ??= open(under, scenarios);
        const { results, log } = await opened;
        const failure = await results.get(scenario);
        if (failure === undefined) return;
        console.error(log());
        throw failure;
      },
    });
  }
  Deno.test.afterAll(async () => {
    const all = await opened?.catch(() => undefined);
    await all?.close();
  });
}

/** Runs a scenario; KAFSCALE_TEST_TIMES=1 prints how long each took, since they overlap. */
async function timed(scenario: Scenario, context: Context): Promise<void> {
  const started = performance.now();
  await scenario.run(context);
  if (!Deno.env.has("KAFSCALE_TEST_TIMES")) return;
  console.log(`${Math.round(performance.now() - started)} ms: ${scenario.criterion}`);
}

interface Opened {
  readonly results: Map<Scenario, Promise<unknown>>;
  log(): string;
  close(): Promise<void>;
}

async function open(under: ClientUnderTest, scenarios: readonly Scenario[]): Promise<Opened> {
  const broker = await openBroker();
  const agent = await under.start(broker.bootstrap);
  const lost = under.can.filter((what) => !agent.can(what));
  const run = crypto.randomUUID().slice(0, 6);
  const context = (index: number): Context => ({
    agent,
    bootstrap: broker.bootstrap,
    name: (what) => `${under.client}-${run}-${index}-${what}`,
  });
  const results = new Map<Scenario, Promise<unknown>>();
  for (const [index, scenario] of scenarios.entries()) {
    results.set(
      scenario,
      lost.length > 0
        ? Promise.resolve(new Error(`the agent has no ${lost.join(", ")}`))
        : timed(scenario, context(index)).then(() => undefined, (error) => error ?? new Error("?")),
    );
  }
  return {
    results,
    log: () => `client:\n${agent.noise()}\nbroker:\n${broker.process?.tail(15) ?? ""}`,
    close: async () => {
      await agent.stop();
      await broker.close();
    },
  };
}
