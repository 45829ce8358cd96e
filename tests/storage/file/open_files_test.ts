import { assert, assertEquals, assertRejects } from "@std/assert";
import { OpenFiles } from "../../../drivers/storage/file/open_files.ts";

const LINUX = Deno.build.os === "linux";

/** How many handles this process has of a file of the folder. */
function handles(dir: string): number {
  if (!LINUX) return NaN;
  return [...Deno.readDirSync("/proc/self/fd")].filter(({ name }) => {
    try {
      return Deno.readLinkSync(`/proc/self/fd/${name}`).startsWith(`${dir}/`);
    } catch {
      return false; // closed meanwhile
    }
  }).length;
}

async function inFolder(
  idleMax: number,
  run: (
    dir: string,
    files: OpenFiles,
    read: (name: string) => Promise<string | undefined>,
  ) => Promise<void>,
): Promise<void> {
  const dir = await Deno.realPath(await Deno.makeTempDir({ prefix: "kafscale-files-" }));
  const files = new OpenFiles(idleMax);
  const read = (name: string) =>
    files.use(`${dir}/${name}`, async (file, size) => {
      file.seekSync(0, Deno.SeekMode.Start);
      const bytes = new Uint8Array(size);
      await file.read(bytes);
      return new TextDecoder().decode(bytes);
    });
  try {
    await run(dir, files, read);
  } finally {
    files.close();
    if (LINUX) assertEquals(handles(dir), 0);
    await Deno.remove(dir, { recursive: true });
  }
}

async function replace(dir: string, name: string, text: string): Promise<void> {
  await Deno.writeTextFile(`${dir}/new`, text);
  await Deno.rename(`${dir}/new`, `${dir}/${name}`);
}

Deno.test("a file stays open until its name stands for another", async () => {
  await inFolder(4, async (dir, files, read) => {
    await replace(dir, "a", "one");
    assertEquals([await read("a"), await read("a")], ["one", "one"]);
    if (LINUX) assertEquals(handles(dir), 1);
    await replace(dir, "a", "two");
    assertEquals(await read("a"), "one");
    files.forget(`${dir}/a`);
    if (LINUX) assertEquals(handles(dir), 0);
    assertEquals(await read("a"), "two");
    await Deno.remove(`${dir}/a`);
    files.forget(`${dir}/a`);
    await assertRejects(() => read("a"), Deno.errors.NotFound);
  });
});

Deno.test("each reader has a handle of its own; a forgotten one is closed after use", async () => {
  await inFolder(4, async (dir, files, read) => {
    await replace(dir, "a", "one");
    const { promise, resolve } = Promise.withResolvers<void>();
    const slow = [0, 1].map(() => files.use(`${dir}/a`, () => promise));
    assertEquals(await read("a"), "one");
    if (LINUX) assertEquals(handles(dir), 3);
    const others = [read("a"), read("a")];
    await replace(dir, "a", "two");
    files.forget(`${dir}/a`);
    const opening = read("a");
    files.forget(`${dir}/a`);
    resolve();
    await Promise.all([...slow, ...others, opening]);
    if (LINUX) assertEquals(handles(dir), 0);
    assertEquals(await read("a"), "two");
    if (LINUX) assertEquals(handles(dir), 1);
  });
});

Deno.test("no more files than allowed stay open, those that were read last", async () => {
  await inFolder(2, async (dir, _, read) => {
    for (const name of ["a", "b", "c"]) await replace(dir, name, name);
    for (const name of ["a", "b", "c", "b"]) assertEquals(await read(name), name);
    for (const name of ["a", "b", "c"]) await replace(dir, name, `${name}, new`);
    if (LINUX) assertEquals(handles(dir), 2);
    assertEquals([await read("b"), await read("a")], ["b", "a, new"]);
  });
  await inFolder(0, async (dir, _, read) => {
    await replace(dir, "a", "one");
    assertEquals(await read("a"), "one");
    if (LINUX) assertEquals(handles(dir), 0);
  });
});

Deno.test("a folder is no object, and a file that cannot be read is closed", async () => {
  await inFolder(2, async (dir, files, read) => {
    await Deno.mkdir(`${dir}/folder`);
    assertEquals(await read("folder"), undefined);
    await replace(dir, "a", "one");
    const failed = () => files.use(`${dir}/a`, () => Promise.reject(new Error("bad disk")));
    await assertRejects(failed, Error, "bad disk");
    assertEquals(await read("a"), "one");
    assert(!LINUX || handles(dir) <= 1);
  });
});
