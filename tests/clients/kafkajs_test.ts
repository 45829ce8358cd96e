import { denoAgent } from "./agents.ts";
import { testClient } from "./suite.ts";

testClient({
  client: "kafkajs",
  start: (bootstrap) => denoAgent("kafkajs_agent.mjs", bootstrap),
  can: [
    ..."produce consume groupOpen groupState groupCommit groupClose listOffsets".split(" "),
    ..."createTopic listTopics describeTopic createPartitions deleteTopic".split(" "),
    ..."describeConfigs alterConfigs deleteRecords listGroups describeGroup".split(" "),
    ..."deleteGroup groupOffsets setGroupOffsets describeCluster empty gzip snappy".split(" "),
    ..."zstd dupHeaders".split(" "),
  ],
});
