import { pythonAgent } from "./agents.ts";
import { haveTools } from "./requirement.ts";
import { testClient } from "./suite.ts";

if (haveTools("kafka-python", "python3")) {
  testClient({
    client: "kafka-python",
    start: (bootstrap) => pythonAgent("kafka_python_agent.py", bootstrap),
    can: [
      ..."produce consume groupOpen groupState groupCommit groupClose listOffsets".split(" "),
      ..."maxTimestamp createTopic listTopics describeTopic createPartitions".split(" "),
      ..."deleteTopic describeConfigs incrementalAlterConfigs deleteRecords".split(" "),
      ..."listGroups describeGroup deleteGroup groupOffsets setGroupOffsets".split(" "),
      ..."deleteGroupOffsets describeCluster describeLogDirs describeProducers".split(" "),
      ..."empty gzip snappy lz4 zstd dupHeaders offsets strict assignors".split(" "),
      ..."static".split(" "),
    ],
  });
}
