/**
 * DescribeCluster (60) v0-2: Describes the cluster and its brokers (KIP-700).
 *
 *   DescribeCluster v0-2 => include_cluster_authorized_operations endpoint_type
 *     include_fenced_brokers
 *   answer => throttle_time_ms error_code error_message endpoint_type cluster_id controller_id
 *     [brokers broker_id host port rack is_fenced] cluster_authorized_operations
 *
 * v0: compact lengths and tagged fields (KIP-482)
 * v1: endpoint types: 1 brokers, 2 controllers (KIP-919)
 * v2: fenced brokers, on wish (KIP-1073)
 */
import { api, array, boolean, int16, int32, int8, string } from "../schema.ts";

export const describeCluster = api({
  key: 60,
  name: "DescribeCluster",
  versions: [0, 2],
  flexibleFrom: 0,
  request: {
    includeClusterAuthorizedOperations: boolean,
    /** 1 brokers, 2 controllers. */
    endpointType: int8.or(1).since(1),
    includeFencedBrokers: boolean.since(2),
  },
  response: {
    throttleTimeMs: int32,
    errorCode: int16,
    errorMessage: string.orNull(),
    endpointType: int8.or(1).since(1),
    clusterId: string,
    controllerId: int32.or(-1),
    brokers: array({
      brokerId: int32,
      host: string,
      port: int32,
      rack: string.orNull(),
      isFenced: boolean.since(2),
    }),
    clusterAuthorizedOperations: int32.or(-(2 ** 31)),
  },
});
