/**
 * FindCoordinator (10) v0-6: Says which broker coordinates a group (key type 0), a transactional
 * id (1) or a share partition (2).
 *
 *   FindCoordinator v0-6 => key key_type [coordinator_keys]
 *   answer => throttle_time_ms error_code error_message node_id host port [coordinators key
 *     node_id host port error_code error_message]
 *
 * v1: key types, throttle time, error text
 * v3: compact lengths and tagged fields (KIP-482)
 * v4: many keys in one request (KIP-699)
 * v5: TRANSACTION_ABORTABLE may be answered (KIP-890)
 * v6: share groups (KIP-932)
 */
import { api, array, int16, int32, int8, string } from "../schema.ts";

export const findCoordinator = api({
  key: 10,
  name: "FindCoordinator",
  versions: [0, 6],
  flexibleFrom: 3,
  request: {
    /** The only key, until v3. */
    key: string.until(3),
    keyType: int8.since(1),
    coordinatorKeys: array(string).since(4),
  },
  response: {
    throttleTimeMs: int32.since(1),
    errorCode: int16.until(3),
    errorMessage: string.nullable().since(1).until(3),
    nodeId: int32.until(3),
    host: string.until(3),
    port: int32.until(3),
    coordinators: array({
      key: string,
      nodeId: int32,
      host: string,
      port: int32,
      errorCode: int16,
      errorMessage: string.nullable(),
    }).since(4),
  },
});
