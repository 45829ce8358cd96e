/** The command `fsck` on the data of a real broker: beside it, after kill -9, and as a repair. */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { BrokerProcess } from "../clients/broker_process.ts";
import { batch, createTopic, produce } from "../clients/wire/produce.ts";
import { RawConnection } from "../clients/wire/raw_connection.ts";
import { fetchBody, readFetch } from "../clients/wire/stored_batches.ts";
import { cli, type Outcome, withDirectory } from "./run_cli.ts";

const PARTITIONS = 4;

/** Rewrites, merges, retains and deletes as often as the settings allow. */
const BUSY = {
  KAFSCALE_WAL_BYTES: "1MiB",
  KAFSCALE_SEGMENT_BYTES: "64KiB",
  KAFSCALE_COMPACTION_INTERVAL_MS: "1000",
  KAFSCALE_RETENTION_CHECK_INTERVAL_MS: "200",
};

interface Report {
  readonly verdict: string;
  readonly counts: { readonly damage: number; readonly orphan: number; readonly warning: number };
  readonly findings: readonly { readonly code: string; readonly key: string }[];
  readonly repairs: readonly { readonly code: string; readonly key: string }[];
  readonly looked: Readonly<Record<string, number>>;
}

async function fsck(dir: string, ...more: string[]): Promise<Outcome & { report: Report }> {
  const outcome = await cli(["fsck", "--json", "--data-dir", dir, ...more]);
  assert(outcome.stdout.startsWith("{"), outcome.stderr);
  return { ...outcome, report: JSON.parse(outcome.stdout) };
}

/** Produces to `kept`, and makes, fills and deletes other topics, until it is stopped. */
class Load {
  /** By partition: how many records were acknowledged. */
  readonly acknowledged = Array.from({ length: PARTITIONS }, () => 0);
  #stopped = false;
  readonly #running: Promise<unknown>;

  constructor(readonly bootstrap: string) {
    this.#running = Promise.all([this.#keep(), this.#churn()]);
    this.#running.catch(() => {});
  }

  /** Resolves when the last answer is there. */
  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#running;
  }

  async #keep(): Promise<void> {
    using connection = await RawConnection.open(this.bootstrap);
    for (let at = 0; !this.#stopped; at++) {
      const partition = at % PARTITIONS;
      const count = 1 + at % 7;
      const values = Array.from({ length: count }, () => new Uint8Array(300 + at % 400).fill(at));
      const { errorCode } = await produce(connection, "kept", partition, batch(values));
      assertEquals(errorCode, 0);
      this.acknowledged[partition]! += count;
    }
  }

  async #churn(): Promise<void> {
    using connection = await RawConnection.open(this.bootstrap);
    for (let at = 0; !this.#stopped; at++) {
      const name = `churn-${at % 2}`;
      await createTopic(connection, name, 2);
      for (let count = 0; count < 40 && !this.#stopped; count++) {
        await produce(connection, name, count % 2, batch([new Uint8Array(5_000)]));
      }
      const { code } = await cli(["topics", "delete", name, "-b", this.bootstrap]);
      assertEquals(code, 0);
    }
  }
}

async function assertReadable(bootstrap: string, records: readonly number[]): Promise<void> {
  using connection = await RawConnection.open(bootstrap);
  for (let partition = 0; partition < PARTITIONS; partition++) {
    let offset = 0;
    for (;;) {
      const body = fetchBody("kept", partition, offset);
      const { errorCode, batches, highWatermark } = readFetch(
        await connection.request(1, 4, body),
      );
      assertEquals(errorCode, 0);
      for (const { baseOffset, recordCount } of batches) {
        assert(baseOffset <= offset);
        offset = baseOffset + recordCount;
      }
      if (offset >= highWatermark) break;
    }
    assert(offset >= records[partition]!, `partition ${partition} ends at ${offset}`);
  }
}

async function startKept(dataDir: string): Promise<BrokerProcess> {
  const broker = await BrokerProcess.start({ dataDir, env: BUSY });
  using connection = await RawConnection.open(broker.bootstrap);
  assertEquals(await createTopic(connection, "kept", PARTITIONS), 0);
  return broker;
}

Deno.test({
  name: "fsck beside a busy broker, and after kill -9 of it, finds no damage; a repair does none",
  sanitizeOps: false,
  sanitizeResources: false,
  fn: () =>
    withDirectory(async (dir) => {
      const broker = await startKept(dir);
      try {
        const load = new Load(broker.bootstrap);
        let segments = 0;
        for (let round = 0; round < 100 && (round < 6 || segments < 10); round++) {
          const { code, report } = await fsck(dir, ...round % 3 === 1 ? ["--deep"] : []);
          assertEquals(report.counts.damage, 0, JSON.stringify(report, undefined, 1));
          assert(code === 0 || code === 3, `exit code ${code}`);
          segments = report.looked.segments!;
        }
        assert(segments >= 10, `only ${segments} segments were written meanwhile`);
        const refused = await cli(["fsck", "--repair", "--data-dir", dir]);
        assertEquals([refused.code, refused.stdout], [1, ""]);
        assertStringIncludes(refused.stderr, "is in use by another broker; stop that one");
        const last = load.stop();
        last.catch(() => {});
        await broker.kill();
        await last.catch(() => {
          // the connections broke
        });
        const after = await fsck(dir, "--deep");
        assertEquals(after.report.counts.damage, 0, after.stdout);
        const repaired = await fsck(dir, "--repair");
        const left = repaired.report.findings.filter(({ code }) => code !== "wal-void");
        assertEquals(left, [], repaired.stdout);
        await broker.restart();
        await assertReadable(broker.bootstrap, load.acknowledged);
        assertEquals(await broker.terminate(), 0);
        const end = await fsck(dir, "--repair");
        assertEquals([end.code, end.report.verdict], [0, "clean"], end.stdout);
      } finally {
        await broker.stop();
      }
    }),
});

Deno.test({
  name: "fsck tells damage, leftovers and what it repaired by exit code and sentences",
  sanitizeOps: false,
  sanitizeResources: false,
  fn: () =>
    withDirectory(async (dir) => {
      const broker = await startKept(dir);
      using connection = await RawConnection.open(broker.bootstrap);
      for (let at = 0; at < 40; at++) {
        await produce(connection, "kept", 0, batch([new Uint8Array(4_000)]));
      }
      let segments: string[] = [];
      while (segments.length === 0) {
        segments = (await cli(["dump", "--list", "default/kept/0/segment-", "--data-dir", dir]))
          .stdout.split("\n").filter((line) => line.includes(".kfs"));
      }
      await broker.terminate();
      const clean = await cli(["fsck", "--data-dir", dir]);
      assertEquals([clean.code, clean.stderr], [0, ""]);
      assertStringIncludes(clean.stdout, "\nclean: nothing is wrong\n");

      const objects = `${dir}/objects`;
      const key = segments[0]!.split("  ")[0]!;
      const index = key.replace(/kfs$/, "index");
      await Deno.remove(`${objects}/${index}`);
      await Deno.mkdir(`${objects}/default/.probe/0`, { recursive: true });
      await Deno.writeTextFile(`${objects}/default/.probe/0/0123`, "left");
      const damaged = await cli(["fsck", "--data-dir", dir]);
      assertEquals(damaged.code, 1);
      assertStringIncludes(damaged.stdout, `damage    index-missing  ${index}: is not there\n`);
      assertStringIncludes(damaged.stdout, "orphan    probe-leftover  default/.probe/0/0123: ");
      assertStringIncludes(damaged.stdout, "\nDAMAGED: 1 damage, 1 orphan, 0 warnings\n");
      const quiet = await cli(["fsck", "--data-dir", dir, "--topic", "kept", "--quick"]);
      assertEquals(quiet.code, 1);

      const repaired = await cli(["fsck", "--repair", "--data-dir", dir]);
      assertEquals(repaired.code, 0, repaired.stdout + repaired.stderr);
      assertStringIncludes(
        repaired.stdout,
        `repaired  index-missing  ${index}: made anew from its segment`,
      );
      assertStringIncludes(
        repaired.stdout,
        "repaired  probe-leftover  default/.probe/0/0123: deleted\n",
      );
      assertStringIncludes(repaired.stdout, "\nclean: nothing is wrong\n");

      await Deno.mkdir(`${objects}/default/strange/0`, { recursive: true });
      await Deno.writeTextFile(`${objects}/default/strange/0/x`, "x");
      const odd = await cli(["fsck", "--data-dir", dir]);
      assertEquals(odd.code, 3);
      assertStringIncludes(odd.stdout, "\nnot damaged: 0 damage, 0 orphans, 1 warning\n");

      const bytes = await Deno.readFile(`${objects}/${key}`);
      bytes[100]! ^= 1;
      await Deno.writeFile(`${objects}/${key}`, bytes);
      const beyond = await fsck(dir, "--repair");
      assertEquals([beyond.code, beyond.report.verdict, beyond.report.repairs.length], [
        1,
        "damaged",
        0,
      ]);
      assertEquals(await Deno.readFile(`${objects}/${key}`), bytes);
    }),
});

Deno.test("fsck says what is wrong with its command line, or with where it looks", () =>
  withDirectory(async (dir) => {
    const said = async (...args: string[]) => {
      const { code, stdout, stderr } = await cli(["fsck", "--data-dir", dir, ...args]);
      assertEquals(stdout, "");
      return [code, stderr];
    };
    const quick = "kafscale fsck: --quick and --deep don't go together\n";
    assertEquals(await said("--quick", "--deep"), [2, quick]);
    assertEquals(await said("--quick", "--repair"), [
      2,
      "kafscale fsck: --repair reads segments: leave out --quick\n",
    ]);
    assertEquals(await said("x"), [2, 'kafscale fsck: unexpected argument "x"\n']);
    assertEquals(await said(), [
      1,
      `kafscale fsck: there is no metadata in ${dir}; name the data directory of a broker with ` +
      "KAFSCALE_DATA_DIR\n",
    ]);
    assertEquals([...Deno.readDirSync(dir)], []);
    const memory = ["--storage", "memory", "--metadata", "memory"];
    assertEquals(await said(...memory, "--topic", "none"), [
      1,
      "kafscale fsck: there is no topic none\n",
    ]);
  }));
