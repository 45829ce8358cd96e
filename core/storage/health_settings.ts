import type { Config } from "../config/config.ts";
import type { HealthSettings } from "./health.ts";

/** How the store's health is judged, out of the broker's settings. */
export function healthSettings(config: Config): HealthSettings {
  return {
    windowMs: config.s3HealthWindowSec * 1_000,
    latencyWarnMs: config.s3LatencyWarnMs,
    latencyCritMs: config.s3LatencyCritMs,
    errorRateWarn: config.s3ErrorRateWarn,
    errorRateCrit: config.s3ErrorRateCrit,
  };
}
