import { goAgent } from "./agents.ts";
import { haveTools } from "./requirement.ts";
import { testClient } from "./suite.ts";

if (haveTools("franz-go", "go")) {
  testClient({
    client: "franz-go",
    start: (bootstrap) => goAgent("franz", bootstrap),
    can: [
      ..."produce consume groupOpen groupState groupCommit groupClose listOffsets".split(" "),
      ..."maxTimestamp createTopic listTopics describeTopic createPartitions".split(" "),
      ..."deleteTopic describeConfigs alterConfigs incrementalAlterConfigs".split(" "),
      ..."deleteRecords listGroups describeGroup deleteGroup groupOffsets".split(" "),
      ..."setGroupOffsets deleteGroupOffsets describeCluster describeLogDirs".split(" "),
      ..."describeProducers empty gzip snappy lz4 zstd dupHeaders nullHeaders offsets".split(" "),
      ..."strict assignors static".split(" "),
    ],
  });
}
