/**
 * ApiVersions (18) v0-4: Tells which APIs and versions are served. Its response header is always
 * v0, and a version that the broker doesn't know is answered by a v0 body with
 * UNSUPPORTED_VERSION (KIP-511).
 *
 *   ApiVersions v0-4 => client_software_name client_software_version
 *   answer => error_code [api_keys api_key min_version max_version] throttle_time_ms
 *     [supported_features name min_version max_version] finalized_features_epoch
 *     [finalized_features name max_version_level min_version_level] zk_migration_ready
 *
 * v1: throttle time
 * v3: compact lengths and tagged fields (KIP-482), name and version of the client's software
 *     (KIP-511), features (KIP-584)
 * v4: a feature's lowest version may be 0 (KAFKA-17011)
 */
import { api, array, boolean, int16, int32, int64, string } from "../schema.ts";

export const apiVersions = api({
  key: 18,
  name: "ApiVersions",
  versions: [0, 4],
  flexibleFrom: 3,
  request: {
    clientSoftwareName: string.since(3),
    clientSoftwareVersion: string.since(3),
  },
  response: {
    errorCode: int16,
    apiKeys: array({ apiKey: int16, minVersion: int16, maxVersion: int16 }),
    throttleTimeMs: int32.since(1),
    supportedFeatures: array({
      name: string,
      minVersion: int16,
      maxVersion: int16,
    }).tag(0).since(3),
    finalizedFeaturesEpoch: int64.or(-1).tag(1).since(3),
    finalizedFeatures: array({
      name: string,
      maxVersionLevel: int16,
      minVersionLevel: int16,
    }).tag(2).since(3),
    zkMigrationReady: boolean.tag(3).since(3),
  },
});
