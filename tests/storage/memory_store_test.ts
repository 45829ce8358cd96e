import { CALM, MemoryObjects, memoryStore } from "../../drivers/storage/memory/driver.ts";
import { systemLog, systemRuntime } from "../../core/runtime/system.ts";
import { CallsByDirectory } from "../../core/storage/calls_by_directory.ts";
import { objectStoreConformance } from "../conformance/object_store.ts";

const runtime = systemRuntime(systemLog("error", false));
const open = (faults?: typeof CALM) => () =>
  Promise.resolve({ store: memoryStore(new MemoryObjects(), runtime, faults) });

const skip = {
  "get-into": "the driver does not offer it",
  "wrong-credentials": "it knows no credentials",
  "missing-bucket": "it knows no buckets",
};

objectStoreConformance("memory", open(), { skip });
objectStoreConformance("memory, calls counted by directory", () => {
  const inner = memoryStore(new MemoryObjects(), runtime);
  return Promise.resolve({ store: new CallsByDirectory(inner, "ns") });
}, { skip });
objectStoreConformance("memory with latency", open({ ...CALM, latencyMaxMs: 2 }), {
  skip,
  listKeys: 300,
});
