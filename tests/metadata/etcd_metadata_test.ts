import { openEtcdMetadata } from "../../drivers/metadata/etcd/driver.ts";
import { haveTools } from "../clients/requirement.ts";
import { metadataStoreConformance } from "../conformance/metadata_store.ts";
import { Etcd } from "../services/etcd.ts";
import { etcdSettings, quietRuntime } from "./etcd_scene.ts";

if (haveTools("etcd metadata store", "etcd")) {
  const etcd = await Etcd.start();
  Deno.test.afterAll(() => etcd.close());
  const open = () => openEtcdMetadata(etcdSettings(etcd), quietRuntime());

  metadataStoreConformance("etcd", async () => ({
    store: await open(),
    // by its id: the holder learns of it as it would after a pause that was too long
    expire: async (lease) => void await etcd.api("lease/revoke", { ID: lease.id }),
    interrupt: async () => {
      await etcd.members[0]!.kill();
      await etcd.members[0]!.start();
    },
    forget: () => etcd.compact(),
    another: open,
  }));
}
