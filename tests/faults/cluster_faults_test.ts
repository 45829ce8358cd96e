/** The fault bench of a cluster at its smoke size; `deno task faults` is the long one. */
import { targetIsApache } from "../clients/broker_process.ts";
import { haveTools } from "../clients/requirement.ts";
import { haveMinio } from "../services/minio.ts";
import { clusterFaults } from "./cluster_faults.ts";
import { CLUSTER_OUTAGES } from "./cluster_outages.ts";

const SMOKE = [
  "one broker is killed while another one sleeps",
  "a broker is killed while etcd is away",
  "the store is away",
];

const ready = haveTools("cluster faults", "etcd", "java", "javac", "mvn") &&
  await haveMinio("cluster faults");
Deno.test({
  name: "faults: a cluster loses, doubles and reorders nothing, whatever is killed or paused",
  ignore: !ready || targetIsApache() || Deno.env.has("KAFSCALE_TEST_BOOTSTRAP"),
  sanitizeOps: false,
  sanitizeResources: false,
  fn: () => {
    const outages = CLUSTER_OUTAGES.filter(({ name }) => SMOKE.includes(name));
    return clusterFaults({ seed: crypto.randomUUID().slice(0, 8), outages });
  },
});
