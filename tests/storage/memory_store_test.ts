import { CALM, MemoryObjects, memoryStore } from "../../drivers/storage/memory/driver.ts";
import { systemLog, systemRuntime } from "../../core/runtime/system.ts";
import { CallsByDirectory } from "../../core/storage/calls_by_directory.ts";
import { objectStoreConformance } from "../conformance/object_store.ts";
import { faultyMemory, MEMORY_LACKS, UNBOUNDED } from "./weather_store.ts";

const runtime = systemRuntime(systemLog("error", false));
const open = (faults?: typeof CALM) => () =>
  Promise.resolve({ store: memoryStore(new MemoryObjects(), runtime, faults) });

const skip = { ...MEMORY_LACKS, ...UNBOUNDED };
const openFaulty = faultyMemory(runtime, (store) => ({ store }));

objectStoreConformance("memory", open(), { skip, openFaulty });
objectStoreConformance("memory, calls counted by directory", () => {
  const inner = memoryStore(new MemoryObjects(), runtime);
  return Promise.resolve({ store: new CallsByDirectory(inner, "ns") });
}, {
  skip,
  openFaulty: faultyMemory(runtime, (inner) => ({ store: new CallsByDirectory(inner, "ns") })),
});
objectStoreConformance("memory with latency", open({ ...CALM, latencyMaxMs: 2 }), {
  skip,
  openFaulty,
  listKeys: 300,
});
