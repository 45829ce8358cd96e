/** What tests of the etcd driver share. */
import type { Runtime } from "../../core/runtime/mod.ts";
import { systemRuntime } from "../../core/runtime/system.ts";
import type { EtcdSettings } from "../../drivers/metadata/etcd/settings.ts";
import type { Etcd } from "../services/etcd.ts";

/** Settings for `etcd`, below a prefix of the test's own. */
export function etcdSettings(etcd: Etcd, overrides: Partial<EtcdSettings> = {}): EtcdSettings {
  const { certificates } = etcd;
  return {
    endpoints: etcd.endpoints,
    prefix: `test-${crypto.randomUUID().slice(0, 8)}`,
    username: null,
    password: null,
    caFile: certificates?.ca ?? null,
    certFile: certificates?.clientCert ?? null,
    keyFile: certificates?.clientKey ?? null,
    timeoutMs: 5_000,
    ...overrides,
  };
}

/** The real runtime; its log lines go to `lines`. */
export function quietRuntime(lines: string[] = []): Runtime {
  const note = (message: string) => void lines.push(message);
  return systemRuntime({ debug: note, info: note, warn: note, error: note });
}
