import { denoAgent } from "./agents.ts";
import { testClient } from "./suite.ts";

testClient({
  client: "platformatic",
  start: (bootstrap) => denoAgent("platformatic_agent.mjs", bootstrap),
  can: [
    ..."produce consume groupOpen groupState groupCommit groupClose listOffsets".split(" "),
    ..."maxTimestamp createTopic listTopics describeTopic createPartitions".split(" "),
    ..."deleteTopic describeConfigs alterConfigs incrementalAlterConfigs".split(" "),
    ..."deleteRecords listGroups describeGroup deleteGroup groupOffsets".split(" "),
    ..."setGroupOffsets deleteGroupOffsets describeCluster describeLogDirs empty gzip".split(" "),
    ..."snappy lz4 zstd nullHeaders".split(" "),
  ],
});
