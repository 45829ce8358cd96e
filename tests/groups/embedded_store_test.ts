/** The coordinator on the store that a broker has by default: a database in a directory. */
import { assertEquals } from "@std/assert";
import { GroupCoordinator } from "../../core/groups/mod.ts";
import { ErrorCode } from "../../core/protocol/errors.ts";
import { openEmbeddedMetadata } from "../../drivers/metadata/embedded/driver.ts";
import { commit, committed, scene, stableGroup, stateOf } from "./scene.ts";

Deno.test("groups and offsets are there again when the database is reopened", async () => {
  const dataDir = await Deno.makeTempDir();
  const made = await scene();
  const open = async () => {
    const metadata = await openEmbeddedMetadata({ dataDir });
    const { runtime, topics, settings } = made;
    made.groups = new GroupCoordinator({ runtime, metadata, topics, settings });
    await made.groups.start();
    return metadata;
  };
  try {
    await made.groups.stop();
    const ids = ["a", "a/b", "", "ümläut 👍", "a\u0000b", "%_"];
    const first = await open();
    for (const [at, groupId] of ids.entries()) {
      assertEquals(await commit(made, [0, 1], at, { groupId }), [ErrorCode.NONE, ErrorCode.NONE]);
    }
    const [member] = await stableGroup(made, [{}]);
    assertEquals(member?.sync.errorCode, ErrorCode.NONE);
    await made.groups.stop();
    await first.close();
    const second = await open();
    for (const [at, groupId] of ids.entries()) {
      assertEquals(await committed(made, [0, 1, 2], groupId), [at, at, -1]);
    }
    assertEquals(stateOf(made), "Stable");
    const { memberId } = member!.join;
    await made.groups.leave("g", [{ memberId, groupInstanceId: null, reason: null }]);
    const listed = made.groups.list(["Empty"], []).groups.map(({ groupId }) => groupId);
    assertEquals(listed.sort(), [...ids, "g"].sort());
    assertEquals(await made.groups.deleteGroups(listed), listed.map(() => ErrorCode.NONE));
    assertEquals((await second.list("")).entries, []);
    await made.groups.stop();
    await second.close();
  } finally {
    await Deno.remove(dataDir, { recursive: true });
  }
});
