/** Several brokers in one process (KAFSCALE_CLUSTER=3): what each one's settings are. */
import { listenAddress } from "./address.ts";
import type { Config } from "./config.ts";

/** Far enough apart for a broker's other ports, KAFSCALE_METRICS_ADDR's 9093 among them. */
const PORT_STEP = 100;
const PORT_MAX = 65_535;
const BROKER_ID_MAX = 2 ** 31 - 1;

/** One config a broker; the config itself where the process is to be one broker. */
export function processBrokers(config: Config): readonly Config[] {
  if (typeof config.cluster !== "number") return [config];
  return Array.from({ length: config.cluster }, (_, at): Config => ({
    ...config,
    cluster: true,
    brokerId: config.brokerId + at,
    brokerAddr: brokerAddress(config, at),
    // the first one's say enough of a process that all share
    ...(at > 0 && { metricsAddr: null, controlAddr: null, plugins: [], pluginSettings: null }),
  }));
}

function brokerAddress(config: Config, at: number): string {
  const { port } = listenAddress(config);
  const host = config.brokerAddr.trim().replace(/:\d+$/, "");
  return `${host}:${port === 0 ? 0 : port + at * PORT_STEP}`;
}

/** Settings that mean one broker, or brokers in processes of their own. */
export function checkProcessBrokers(values: Record<string, unknown>, errors: string[]): void {
  const { cluster, metadata, brokerPort, brokerAddr, brokerId } = values as unknown as Config;
  if (typeof cluster !== "number") return;
  const asked = `KAFSCALE_CLUSTER=${cluster} starts ${cluster} brokers in one process`;
  if (metadata === "etcd") {
    errors.push(
      `${asked}, which needs no etcd; leave KAFSCALE_ETCD_ENDPOINTS out, or start each broker ` +
        "by itself with KAFSCALE_CLUSTER=true",
    );
  }
  if (brokerPort !== null) {
    errors.push(`${asked}, which cannot all be at KAFSCALE_BROKER_PORT; leave it out`);
  }
  const last = listenAddress({ brokerAddr }).port + (cluster - 1) * PORT_STEP;
  if (last > PORT_MAX) {
    errors.push(
      `${asked} on ports ${PORT_STEP} apart, of which ${last} is none; choose a lower one in ` +
        "KAFSCALE_BROKER_ADDR",
    );
  }
  if (brokerId + cluster - 1 > BROKER_ID_MAX) {
    errors.push(`${asked} with ids from KAFSCALE_BROKER_ID on; choose a lower one`);
  }
}
