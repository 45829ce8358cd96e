import { javaAgent } from "./agents.ts";
import { haveTools } from "./requirement.ts";
import { testClient } from "./suite.ts";

if (haveTools("java", "java", "javac", "mvn")) {
  testClient({
    client: "java",
    start: (bootstrap) => javaAgent(bootstrap),
    can: [
      ..."produce consume groupOpen groupState groupCommit groupClose".split(" "),
      ..."listOffsets maxTimestamp createTopic listTopics describeTopic".split(" "),
      ..."createPartitions deleteTopic describeConfigs incrementalAlterConfigs".split(" "),
      ..."deleteRecords listGroups describeGroup deleteGroup groupOffsets setGroupOffsets".split(
        " ",
      ),
      ..."deleteGroupOffsets describeCluster describeLogDirs describeProducers".split(" "),
      ..."empty gzip snappy lz4 zstd dupHeaders nullHeaders offsets strict".split(" "),
      ..."assignors static".split(" "),
    ],
  });
}
