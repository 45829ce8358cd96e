/** The harness that gives tests a real MinIO. */
import { assertEquals, assertRejects } from "@std/assert";
import { haveMinio, Minio } from "./minio.ts";
import { send } from "./signed_request.ts";

const ignore = !await haveMinio("tests/services/minio_test.ts");

Deno.test({
  name: "minio: keeps objects over kill and restart, answers nothing while paused",
  ignore,
  fn: async () => {
    await using minio = await Minio.start();
    const bucket = await minio.bucket();
    const body = new TextEncoder().encode("kept");
    const path = `/${bucket}/a folder/ключ*(1)`;
    const created = await send(minio, { method: "PUT", path, body });
    assertEquals([created.status, await created.text()], [200, ""]);

    const before = minio.pid;
    await minio.kill();
    await assertRejects(() => send(minio, { method: "GET", path }));
    await minio.restart();
    assertEquals(minio.pid === before, false);
    const read = await send(minio, { method: "GET", path });
    assertEquals([read.status, await read.text()], [200, "kept"]);

    await minio.pause();
    const waiting = send(minio, { method: "HEAD", path });
    let timer: ReturnType<typeof setTimeout>;
    const late = new Promise((resolve) => timer = setTimeout(() => resolve("late"), 300));
    const answered = waiting.then(() => "answered");
    assertEquals(await Promise.race([answered, late]), "late");
    clearTimeout(timer!);
    minio.resume();
    assertEquals((await waiting).status, 200);
  },
});

Deno.test({
  name: "minio: stop() ends the process and removes its directory",
  ignore,
  fn: async () => {
    const minio = await Minio.start();
    const { pid, dir } = minio;
    await minio.stop();
    await assertRejects(() => Deno.stat(`/proc/${pid}`), Deno.errors.NotFound);
    await assertRejects(() => Deno.stat(dir), Deno.errors.NotFound);
  },
});
