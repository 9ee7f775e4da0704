/** Documents that earlier versions stored are still read: a coordinator that is upgraded goes on with its open jobs. */
import { expect, it } from "vitest";
import { Plan } from "#lib/protocol/api/jobs.ts";

it("reads the plan of a public job as the first version stored it", () => {
  const stored = {
    privacy: "public",
    records: 8000,
    microtasks: 2,
    bytes_per_record_down: 784,
    bytes_per_record_up: 40,
    donor_seconds: 0.7,
    donors_online: 0,
    seconds_with_donors_online: null,
    donors_see: "Everything: the model's weights and every record as it is.",
  };
  expect(Plan.parse(stored)).toMatchObject({ privacy: "public", runtimes: [] });
});
