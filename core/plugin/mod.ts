/**
 * plugin: the contract between the broker and whatever serves people or machines beside it, and the
 * view of the broker that a plugin gets.
 * Invariant: reading the view changes nothing and costs the broker nothing while nobody reads;
 * secrets are not in it.
 * Upstream: every lower room. Downstream: broker, plugins.
 * May import: every lower room, server among them, and the type of zod's schemas.
 * @module
 */
export * from "./broker_view.ts";
export * from "./plugin.ts";
export type { BrokerInfo } from "../handlers/rooms.ts";
export type { ApiStats } from "../server/api_stats.ts";
export type { ConnectionView } from "../server/connection.ts";
export type { Distribution, Log } from "../runtime/mod.ts";
export type { TopicTraffic } from "../log/topic_traffic.ts";
export type { DirectoryCalls } from "../storage/calls_by_directory.ts";
export type { StoreView } from "../storage/guarded_store.ts";
export type { HealthReport } from "../storage/health.ts";
export type { ObjectStore, ReplicaFigures } from "../storage/object_store.ts";
export type { OperationFigures, StoreFigures } from "../storage/store_figures.ts";
