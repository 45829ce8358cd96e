import { openFileStore } from "../../../drivers/storage/file/driver.ts";
import { objectStoreConformance } from "../../conformance/object_store.ts";
import { NO_NETWORK } from "../../conformance/store_faults.ts";

objectStoreConformance("file", async () => {
  const dir = await Deno.makeTempDir({ prefix: "kafscale-store-" });
  const store = await openFileStore({ dir });
  return { store, dispose: () => Deno.remove(dir, { recursive: true }) };
}, {
  skip: {
    ...NO_NETWORK,
    "nested-keys": "a file system name is a file or a folder; no KafScale key is both",
    "wrong-credentials": "a directory knows no credentials",
    "missing-bucket": "the directory is made",
  },
});
