import { goAgent } from "./agents.ts";
import { haveTools } from "./requirement.ts";
import { testClient } from "./suite.ts";

if (haveTools("sarama", "go")) {
  testClient({
    client: "sarama",
    start: (bootstrap) => goAgent("sarama", bootstrap),
    can: [
      ..."produce consume groupOpen groupState groupCommit groupClose listOffsets".split(" "),
      ..."createTopic listTopics describeTopic createPartitions deleteTopic".split(" "),
      ..."describeConfigs alterConfigs incrementalAlterConfigs deleteRecords".split(" "),
      ..."listGroups describeGroup deleteGroup groupOffsets setGroupOffsets".split(" "),
      ..."deleteGroupOffsets describeLogDirs empty gzip snappy lz4 zstd dupHeaders".split(" "),
      ..."nullHeaders offsets strict static".split(" "),
    ],
  });
}
