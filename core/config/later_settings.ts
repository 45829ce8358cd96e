/**
 * Names that KafScale users know and that later parts of the project bring. They are known from the
 * start, so that setting one says "not available in this version" instead of being ignored.
 */
import { envName } from "./settings.ts";

export interface LaterSetting {
  /** The part of the project that will read it. */
  readonly part: "metrics" | "control" | "s3" | "ops" | "security" | "logging";
  readonly doc: string;
  /** Its value is never printed. */
  readonly secret?: true;
}

export const LATER_SETTINGS: Readonly<Record<string, LaterSetting>> = {
  metricsAddr: { part: "metrics", doc: "Listen address of Prometheus metrics and health checks." },
  controlAddr: { part: "control", doc: "Listen address of the gRPC control service." },
  s3Bucket: { part: "s3", doc: "Bucket of the s3 and minio drivers." },
  s3Region: { part: "s3", doc: "Region of the bucket." },
  s3Endpoint: { part: "s3", doc: "Endpoint of an S3-compatible store." },
  s3AccessKey: { part: "s3", doc: "Access key id." },
  s3SecretKey: { part: "s3", doc: "Secret access key.", secret: true },
  s3SessionToken: { part: "s3", doc: "Session token.", secret: true },
  s3PathStyle: { part: "s3", doc: "Bucket in the path instead of in the host name." },
  s3Concurrency: { part: "s3", doc: "Requests to the store at once." },
  s3KmsArn: { part: "s3", doc: "KMS key for encryption at rest." },
  s3ReadBucket: { part: "s3", doc: "Bucket of the read replica." },
  s3ReadRegion: { part: "s3", doc: "Region of the read replica." },
  s3ReadEndpoint: { part: "s3", doc: "Endpoint of the read replica." },
  s3HealthWindowSec: { part: "s3", doc: "Window over which store health is judged." },
  s3LatencyWarnMs: { part: "s3", doc: "Store latency that counts as degraded." },
  s3LatencyCritMs: { part: "s3", doc: "Store latency that counts as unavailable." },
  s3ErrorRateWarn: { part: "s3", doc: "Store error rate that counts as degraded." },
  s3ErrorRateCrit: { part: "s3", doc: "Store error rate that counts as unavailable." },
  opsToken: { part: "ops", doc: "Bearer token of the ops HTTP API.", secret: true },
  aclEnabled: { part: "security", doc: "Check access control lists." },
  aclJson: { part: "security", doc: "Access control lists as JSON." },
  aclFile: { part: "security", doc: "File with access control lists." },
  aclFailOpen: { part: "security", doc: "Allow what no list decides." },
  principalSource: { part: "security", doc: "Where a client's principal comes from." },
  proxyProtocol: { part: "security", doc: "Expect the PROXY protocol header on connections." },
  traceKafka: { part: "logging", doc: "Log every request." },
};

/** Families of names that other KafScale programs read. */
const OTHER_PROGRAMS = [
  "OPERATOR",
  "UI",
  "CONSOLE",
  "MCP",
  "PROXY",
  "LFS",
  "E2E",
  "DEMO",
].map((family) => `KAFSCALE_${family}_`);

const LATER_ENVIRONMENT = new Map(Object.keys(LATER_SETTINGS).map((key) => [envName(key), key]));

/** What an environment name that no setting of this version has is to us. */
export function laterEnvironment(name: string): "later" | "other program" | undefined {
  if (LATER_ENVIRONMENT.has(name)) return "later";
  return OTHER_PROGRAMS.some((prefix) => name.startsWith(prefix)) ? "other program" : undefined;
}
