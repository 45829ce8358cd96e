/**
 * The messages and methods of docs/formats/control.proto (a test holds the two equal), and their
 * encoding by protobufjs's reflection, which needs no generated code.
 */
import { Buffer } from "node:buffer";
import type { MethodDefinition } from "@grpc/grpc-js";
import protobuf from "protobufjs/light.js";

type FieldRow = readonly [name: string, id: number, type: string, more?: "repeated" | "map"];

/** Fields by message. `map` is one from strings. */
export const MESSAGES: Readonly<Record<string, readonly FieldRow[]>> = {
  BrokerStatusRequest: [],
  BrokerStatusResponse: [
    ["broker_id", 1, "string"],
    ["version", 2, "string"],
    ["ready", 3, "bool"],
    ["partitions", 4, "PartitionStatus", "repeated"],
    ["state", 16, "string"],
  ],
  PartitionStatus: [
    ["topic", 1, "string"],
    ["partition", 2, "int32"],
    ["leader", 3, "bool"],
    ["state", 4, "string"],
    ["log_start_offset", 5, "int64"],
    ["log_end_offset", 6, "int64"],
    ["high_watermark", 7, "int64"],
  ],
  DrainPartitionsRequest: [
    ["partitions", 1, "PartitionRef", "repeated"],
    ["reason", 2, "string"],
    ["deadline_seconds", 3, "int32"],
  ],
  DrainPartitionsResponse: [
    ["drained", 1, "PartitionRef", "repeated"],
    ["pending", 2, "PartitionRef", "repeated"],
  ],
  TriggerFlushRequest: [
    ["partitions", 1, "PartitionRef", "repeated"],
    ["all_assigned", 2, "bool"],
  ],
  TriggerFlushResponse: [["flushed", 1, "PartitionRef", "repeated"]],
  MetricsRequest: [["interval_ms", 1, "int32"]],
  MetricsSample: [
    ["broker_id", 1, "string"],
    ["timestamp_ms", 2, "int64"],
    ["gauges", 3, "double", "map"],
    ["counters", 4, "double", "map"],
  ],
  AssignmentWatchRequest: [["broker_id", 1, "string"]],
  PartitionAssignmentEvent: [
    ["partition", 1, "PartitionRef"],
    ["broker_id", 2, "string"],
    ["status", 3, "string"],
    ["epoch", 4, "int32"],
  ],
  PartitionRef: [["topic", 1, "string"], ["partition", 2, "int32"]],
};

export interface PartitionRef {
  readonly topic: string;
  readonly partition: number;
}

export interface DrainRequest {
  readonly partitions: readonly PartitionRef[];
  readonly reason: string;
  readonly deadline_seconds: number;
}

export interface FlushRequest {
  readonly partitions: readonly PartitionRef[];
  readonly all_assigned: boolean;
}

const PACKAGE = "kafscale.control";

/** Request and response of each method; `stream`: many responses. */
export const SERVICES = {
  BrokerControl: {
    GetStatus: ["BrokerStatusRequest", "BrokerStatusResponse", false],
    DrainPartitions: ["DrainPartitionsRequest", "DrainPartitionsResponse", false],
    TriggerFlush: ["TriggerFlushRequest", "TriggerFlushResponse", false],
    StreamMetrics: ["MetricsRequest", "MetricsSample", true],
  },
  AssignmentStream: {
    WatchAssignments: ["AssignmentWatchRequest", "PartitionAssignmentEvent", true],
  },
} as const;

const ROOT = new protobuf.Root();
const NAMESPACE = ROOT.define(PACKAGE);
for (const [name, fields] of Object.entries(MESSAGES)) {
  const type = new protobuf.Type(name);
  for (const [field, id, kind, more] of fields) {
    type.add(
      more === "map"
        ? new protobuf.MapField(field, id, "string", kind)
        : new protobuf.Field(field, id, kind, more),
    );
  }
  NAMESPACE.add(type);
}

/** int64 as numbers: offsets and times are below 2^53. */
const PLAIN = { longs: Number, defaults: true, arrays: true, objects: true };

type Definition = MethodDefinition<object, object>;

/** What grpc-js registers or dials: methods by name. */
export function serviceDefinition(service: keyof typeof SERVICES): Record<string, Definition> {
  const definition: Record<string, Definition> = {};
  for (const [name, [request, response, stream]] of Object.entries(SERVICES[service])) {
    const asked = NAMESPACE.lookupType(request);
    const answered = NAMESPACE.lookupType(response);
    definition[name] = {
      path: `/${PACKAGE}.${service}/${name}`,
      requestStream: false,
      responseStream: stream,
      requestSerialize: encoder(asked),
      requestDeserialize: decoder(asked),
      responseSerialize: encoder(answered),
      responseDeserialize: decoder(answered),
    };
  }
  return definition;
}

function encoder(type: protobuf.Type): (value: object) => Buffer {
  return (value) => Buffer.from(type.encode(type.fromObject(value)).finish());
}

function decoder(type: protobuf.Type): (bytes: Uint8Array) => object {
  return (bytes) => type.toObject(type.decode(bytes), PLAIN);
}
