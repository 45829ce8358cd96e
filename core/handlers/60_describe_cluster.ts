/**
 * DescribeCluster (key 60), versions 0 to 2.
 *
 *     DescribeCluster => include_cluster_authorized_operations endpoint_type include_fenced_brokers
 *
 * Live brokers only: there are no fenced ones. There is no controller endpoint, so endpoint type 2
 * (v1+) is MISMATCHED_ENDPOINT_TYPE, and any other than 1 UNSUPPORTED_ENDPOINT_TYPE (KIP-919).
 */
import { ErrorCode } from "../protocol/errors.ts";
import { describeCluster } from "../protocol/messages/60_describe_cluster.ts";
import { clusterOperations } from "./authorized_operations.ts";
import { handler } from "./handler.ts";

const BROKERS = 1;
const CONTROLLERS = 2;

export const describeClusterHandler = handler(describeCluster, (rooms, _context, request) => {
  const { cluster, config } = rooms;
  if (request.endpointType !== BROKERS) {
    const controllers = request.endpointType === CONTROLLERS;
    return {
      errorCode: controllers
        ? ErrorCode.MISMATCHED_ENDPOINT_TYPE
        : ErrorCode.UNSUPPORTED_ENDPOINT_TYPE,
      errorMessage: controllers
        ? "this is a broker's endpoint; there are no controller endpoints"
        : `endpoint type ${request.endpointType} is not supported`,
      endpointType: request.endpointType,
    };
  }
  return {
    errorCode: ErrorCode.NONE,
    errorMessage: null,
    endpointType: BROKERS,
    clusterId: cluster.clusterId,
    controllerId: cluster.controllerId,
    brokers: cluster.brokers().map(({ nodeId, host, port, rack }) => ({
      brokerId: nodeId,
      host,
      port,
      rack,
      isFenced: false,
    })),
    clusterAuthorizedOperations: clusterOperations(
      config,
      request.includeClusterAuthorizedOperations,
    ),
  };
});
