import { openFileStore } from "../../../drivers/storage/file/driver.ts";
import { objectStoreConformance } from "../../conformance/object_store.ts";
import { NOT_OF_FILES } from "./journal_folder.ts";

objectStoreConformance("file", async () => {
  const dir = await Deno.makeTempDir({ prefix: "kafscale-store-" });
  const store = await openFileStore({ dir });
  return { store, dispose: () => Deno.remove(dir, { recursive: true }) };
}, { skip: NOT_OF_FILES });
