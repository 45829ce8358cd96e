/** The primary's promises hold whatever its replica does, for reads that ask it, too. */
import { systemLog, systemRuntime } from "../../../core/runtime/system.ts";
import { type ObjectStore, StoreError } from "../../../core/storage/object_store.ts";
import { openFileStore } from "../../../drivers/storage/file/driver.ts";
import { MemoryObjects, memoryStore } from "../../../drivers/storage/memory/driver.ts";
import { replicaReadStore } from "../../../drivers/storage/replica_read/driver.ts";
import { objectStoreConformance } from "../../conformance/object_store.ts";
import { NO_NETWORK } from "../../conformance/store_faults.ts";
import { faultyMemory, MEMORY_LACKS, UNBOUNDED } from "../weather_store.ts";

const runtime = systemRuntime(systemLog("error", false));
/** The replica helps nobody while the primary suffers. */
const OPTIONS = {
  largeBytes: 2 << 20,
  skip: { ...MEMORY_LACKS, ...UNBOUNDED },
  openFaulty: faultyMemory(runtime, (primary) => {
    const store = replicaReadStore({ runtime, primary, replica: replicaOf(absent) });
    return { store: staleOk(store) };
  }),
};

/** All its reads say that an old answer would do. */
function staleOk(store: ObjectStore): ObjectStore {
  const { getInto } = store;
  return {
    ...(getInto === undefined ? {} : {
      getInto: (key, start, into, o) =>
        getInto.call(store, key, start, into, { ...o, staleOk: true }),
    }),
    advice: store.advice,
    putIfAbsent: (key, body, o) => store.putIfAbsent(key, body, o),
    put: (key, body, o) => store.put(key, body, o),
    get: (key, range, o) => store.get(key, range, { ...o, staleOk: true }),
    list: (prefix, after, o) => store.list(prefix, after, o),
    delete: (keys, o) => store.delete(keys, o),
    close: () => store.close(),
  };
}

/** A replica that answers every read as `get` does. */
function replicaOf(get: ObjectStore["get"]): ObjectStore {
  return { ...staleOk(memoryStore(new MemoryObjects(), runtime)), get };
}

const wrong = () => Promise.resolve(new Uint8Array(1 << 20).fill(7));
const absent = () => Promise.resolve(undefined);
const failing = () => Promise.reject(new StoreError("fatal", "no such bucket"));

objectStoreConformance("memory, with a wrong replica", () => {
  const primary = memoryStore(new MemoryObjects(), runtime);
  return Promise.resolve({
    store: replicaReadStore({ runtime, primary, replica: replicaOf(wrong) }),
  });
}, OPTIONS);

for (const [name, get] of Object.entries({ "an empty": absent, "a failing": failing })) {
  objectStoreConformance(`memory, asking ${name} replica`, () => {
    const primary = memoryStore(new MemoryObjects(), runtime);
    const store = replicaReadStore({ runtime, primary, replica: replicaOf(get) });
    return Promise.resolve({ store: staleOk(store) });
  }, OPTIONS);
}

const FILE_OPTIONS = {
  largeBytes: 2 << 20,
  skip: {
    ...NO_NETWORK,
    "nested-keys": "a file system name is a file or a folder; no KafScale key is both",
    "wrong-credentials": "a directory knows no credentials",
    "missing-bucket": "the directory is made",
  },
};

objectStoreConformance("file, asking a view of the same directory", async () => {
  const dir = await Deno.makeTempDir({ prefix: "kafscale-replica-" });
  const primary = await openFileStore({ dir });
  const replica = await openFileStore({ dir, readOnly: true });
  return {
    store: staleOk(replicaReadStore({ runtime, primary, replica })),
    dispose: () => Deno.remove(dir, { recursive: true }),
  };
}, FILE_OPTIONS);

objectStoreConformance("memory, asking a replica without lag", () => {
  const objects = new MemoryObjects();
  const primary = memoryStore(objects, runtime);
  const store = replicaReadStore({ runtime, primary, replica: memoryStore(objects, runtime) });
  return Promise.resolve({ store: staleOk(store) });
}, OPTIONS);
