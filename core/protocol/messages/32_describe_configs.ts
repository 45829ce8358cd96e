/**
 * DescribeConfigs (32) v1-4: Reads the configs of topics (resource type 2), brokers (4), broker
 * loggers (8) and others.
 *
 *   DescribeConfigs v1-4 => [resources resource_type resource_name [configuration_keys]]
 *     include_synonyms include_documentation
 *   answer => throttle_time_ms [results error_code error_message resource_type resource_name
 *     [configs name value read_only config_source is_sensitive [synonyms name value source]
 *     config_type documentation]]
 *
 * v3: types and documentation (KIP-569)
 * v4: compact lengths and tagged fields (KIP-482)
 */
import { api, array, boolean, int16, int32, int8, string } from "../schema.ts";

export const describeConfigs = api({
  key: 32,
  name: "DescribeConfigs",
  versions: [1, 4],
  flexibleFrom: 4,
  request: {
    resources: array({
      /** 2 topic, 4 broker, 8 broker logger, 16 client metrics, 32 group. */
      resourceType: int8,
      resourceName: string,
      /** Null: all. */
      configurationKeys: array(string).nullable(),
    }),
    includeSynonyms: boolean,
    includeDocumentation: boolean.since(3),
  },
  response: {
    throttleTimeMs: int32,
    results: array({
      errorCode: int16,
      errorMessage: string.nullable(),
      resourceType: int8,
      resourceName: string,
      configs: array({
        name: string,
        value: string.nullable(),
        readOnly: boolean,
        configSource: int8.or(-1),
        isSensitive: boolean,
        synonyms: array({ name: string, value: string.nullable(), source: int8 }),
        configType: int8.since(3),
        documentation: string.nullable().since(3),
      }),
    }),
  },
});
