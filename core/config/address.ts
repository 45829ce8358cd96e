/** Listen and advertised addresses. */

export interface HostPort {
  readonly host: string;
  readonly port: number;
}

/** `:9092` (every interface), `host:9092` or `[::1]:9092`; undefined where it is none of these. */
export function parseListenAddress(text: string): HostPort | undefined {
  const match = /^(?:\[([0-9a-f:.]+)\]|([^:[\]\s/]*)):(\d{1,5})$/i.exec(text.trim());
  if (match === null) return undefined;
  const port = Number(match[3]);
  if (port > 65_535) return undefined;
  return { host: match[1] ?? (match[2] || "0.0.0.0"), port };
}

/** Where to listen; port 0 lets the system choose. */
export function listenAddress(config: { readonly brokerAddr: string }): HostPort {
  const parsed = parseListenAddress(config.brokerAddr);
  if (parsed === undefined) throw new RangeError("listen address was not checked");
  return parsed;
}

/**
 * The address that clients are told, given the one that is really listened on. Behind a wildcard
 * address clients are told 127.0.0.1: other machines need KAFSCALE_BROKER_HOST.
 */
export function advertisedAddress(
  config: { readonly brokerHost: string | null; readonly brokerPort: number | null },
  listening: HostPort,
): HostPort {
  const wildcard = listening.host === "0.0.0.0" || listening.host === "::";
  return {
    host: config.brokerHost ?? (wildcard ? "127.0.0.1" : listening.host),
    port: config.brokerPort ?? listening.port,
  };
}
