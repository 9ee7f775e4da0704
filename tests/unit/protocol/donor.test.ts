/** Golden frames: what a client in any language may send and will get, and what is refused. */
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { DONOR_REQUESTS, type DonorRequestName } from "#lib/protocol/donor.ts";

const folder = resolve(import.meta.dirname, "../../fixtures/protocol");
const read = (name: string): unknown => JSON.parse(readFileSync(resolve(folder, name), "utf8"));

const names = Object.keys(DONOR_REQUESTS) as [DonorRequestName, ...DonorRequestName[]];
const Name = z.enum(names);
const accepted = z.record(Name, z.object({ request: z.unknown(), answer: z.unknown() })).parse(read("accepted.json"));
const refused = z.array(z.object({ event: Name, why: z.string(), request: z.unknown() })).parse(read("refused.json"));

describe("donor protocol", () => {
  it.each(names)("%s: golden request and answer parse to themselves", (name) => {
    const frames = accepted[name];
    expect(DONOR_REQUESTS[name].request.parse(frames.request)).toEqual(frames.request);
    expect(DONOR_REQUESTS[name].answer.parse(frames.answer)).toEqual(frames.answer);
  });

  it.each(refused)("$event is refused: $why", ({ event, request }) => {
    expect(DONOR_REQUESTS[event].request.safeParse(request).success).toBe(false);
  });

  it("drops keys that are not in the schema, __proto__ among them", () => {
    const request: unknown = JSON.parse(
      '{"leaseId":"ls_aaaaaaaaaaaaaaaaaaaa","fence":1,"extra":1,"__proto__":{"polluted":true}}',
    );
    const parsed = DONOR_REQUESTS["payload:get"].request.parse(request);
    expect(Object.keys(parsed)).toEqual(["leaseId", "fence"]);
    expect("polluted" in parsed).toBe(false);
  });
});
