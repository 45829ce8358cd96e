/** The example of a driver of one's own, loaded by its path as a user's would be. */
import { assertRejects } from "@std/assert";
import { defaultConfig } from "../../../core/config/mod.ts";
import { openStore } from "../../../drivers/mod.ts";
import { objectStoreConformance } from "../../conformance/object_store.ts";
import { NO_NETWORK } from "../../conformance/store_faults.ts";
import { runtime } from "../bucket_stores.ts";

const EXAMPLE = new URL("../../../docs/examples/sqlite_store.js", import.meta.url);

objectStoreConformance("docs/examples/sqlite_store.js", async () => {
  const dataDir = await Deno.makeTempDir({ prefix: "kafscale-example-" });
  const config = defaultConfig({ storage: EXAMPLE.pathname, dataDir });
  const store = await openStore({ config, runtime });
  return { store, dispose: () => Deno.remove(dataDir, { recursive: true }) };
}, {
  skip: {
    ...NO_NETWORK,
    "get-into": "the example does not offer it",
    "wrong-credentials": "a file knows no credentials",
    "missing-bucket": "the file is made",
  },
});

Deno.test("openStore() says what a module lacks that a setting names", async () => {
  const file = await Deno.makeTempFile({ suffix: ".js" });
  const open = () => openStore({ config: defaultConfig({ storage: file }), runtime });
  await Deno.writeTextFile(file, "export const openMetadataStore = 1;");
  await assertRejects(open, Error, "must export openObjectStore(options)");
  await Deno.remove(file);
  await assertRejects(open, Error, "which does not exist");
});
