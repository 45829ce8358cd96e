/** KIP-430: which operations the client may do, as a bit field; every principal may do the same. */
import type { Config } from "../config/config.ts";

/** 1 << Kafka's operation code. */
const READ = 1 << 3;
const WRITE = 1 << 4;
const CREATE = 1 << 5;
const DELETE = 1 << 6;
const ALTER = 1 << 7;
const DESCRIBE = 1 << 8;
const CLUSTER_ACTION = 1 << 9;
const DESCRIBE_CONFIGS = 1 << 10;
const ALTER_CONFIGS = 1 << 11;
const IDEMPOTENT_WRITE = 1 << 12;

/** "Not asked for". */
export const NO_OPERATIONS = -(2 ** 31);

type Admin = Pick<Config, "allowAdminApis">;

export function topicOperations(config: Admin, wanted: boolean): number {
  if (!wanted) return NO_OPERATIONS;
  const reading = READ | WRITE | DESCRIBE | DESCRIBE_CONFIGS;
  return config.allowAdminApis ? reading | CREATE | DELETE | ALTER | ALTER_CONFIGS : reading;
}

export function clusterOperations(config: Admin, wanted: boolean): number {
  if (!wanted) return NO_OPERATIONS;
  const reading = DESCRIBE | DESCRIBE_CONFIGS | IDEMPOTENT_WRITE;
  return config.allowAdminApis
    ? reading | CREATE | ALTER | ALTER_CONFIGS | CLUSTER_ACTION
    : reading;
}
