import { pythonAgent } from "./agents.ts";
import { haveTools } from "./requirement.ts";
import { testClient } from "./suite.ts";

if (haveTools("confluent-python", "python3")) {
  testClient({
    client: "confluent-python",
    start: (bootstrap) => pythonAgent("confluent_agent.py", bootstrap),
    can: [
      ..."produce consume groupOpen groupState groupCommit groupClose listOffsets".split(" "),
      ..."maxTimestamp createTopic listTopics describeTopic createPartitions".split(" "),
      ..."deleteTopic describeConfigs alterConfigs incrementalAlterConfigs".split(" "),
      ..."deleteRecords listGroups describeGroup deleteGroup groupOffsets".split(" "),
      ..."setGroupOffsets describeCluster empty gzip snappy lz4 zstd dupHeaders".split(" "),
      ..."nullHeaders offsets strict assignors static".split(" "),
    ],
  });
}
