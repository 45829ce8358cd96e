/** A process that holds a lease in etcd and says when it has it and when it has lost it. */
import { openEtcdMetadata } from "../../drivers/metadata/etcd/driver.ts";
import { quietRuntime } from "./etcd_scene.ts";

const settings = JSON.parse(Deno.env.get("ETCD_SETTINGS")!);
const store = await openEtcdMetadata(settings, quietRuntime());
const lease = await store.lease(2_000);
await store.commit({ if: [], then: [{ put: "held", value: Uint8Array.of(1), lease }] });
console.log("held");
await lease.lost;
console.log("lost");
await store.close();
