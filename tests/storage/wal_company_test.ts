import { assert, assertEquals } from "@std/assert";
import { Company } from "../../core/storage/wal/company.ts";

const UPLOAD_MS = 8;

function scene() {
  let nowMs = 1_000;
  const company = new Company({ monotonicMs: () => nowMs });
  const pass = (ms: number) => void (nowMs += ms);
  return {
    company,
    pass,
    waits: () => company.untilMs > nowMs,
    /** Clients that come back `come` of `batches` a millisecond after each answer. */
    learn: (batches: number, come: number) => {
      for (let round = 0; round < 10; round++) {
        company.answered(batches, UPLOAD_MS);
        pass(1);
        company.arrived(come);
        pass(UPLOAD_MS);
      }
    },
  };
}

Deno.test("Company waits for as many batches as were answered, where they use to come back", () => {
  const { company, pass, waits, learn } = scene();
  learn(40, 40);
  company.answered(40, UPLOAD_MS);
  assertEquals(waits(), true);
  for (const batches of [16, 16]) {
    pass(1);
    company.arrived(batches);
    assertEquals(waits(), true);
  }
  company.arrived(8);
  assertEquals(waits(), false);
});

Deno.test("Company gives up when nothing comes for a moment, and after the upload's time", () => {
  const { company, pass, waits, learn } = scene();
  learn(40, 40);
  company.answered(40, UPLOAD_MS);
  pass(2);
  assertEquals(waits(), false);
  company.answered(40, UPLOAD_MS);
  for (let ms = 0; ms < UPLOAD_MS; ms++) {
    assertEquals(waits(), true);
    pass(1);
    company.arrived(1);
  }
  assertEquals(waits(), false);
});

Deno.test("Company waits for nobody where clients send by the clock", () => {
  const { company, waits, learn } = scene();
  learn(10, 2);
  company.answered(10, UPLOAD_MS);
  assertEquals(waits(), false);
});

Deno.test("Company learns that clients changed, without waiting for them", () => {
  const { company, waits, learn } = scene();
  learn(10, 10);
  learn(10, 0);
  company.answered(10, UPLOAD_MS);
  assertEquals(waits(), false);
  learn(10, 10);
  company.answered(10, UPLOAD_MS);
  assert(waits());
});
