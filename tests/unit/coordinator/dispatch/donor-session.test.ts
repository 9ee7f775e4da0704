import { expect, it } from "vitest";
import { DonorSession } from "#lib/coordinator/dispatch/donor-session.ts";
import { freshId } from "#lib/storage/ids.ts";
import { sampleDonor } from "#tests/contract/samples.ts";
import { CAPABILITY, SIGNALS } from "./harness.ts";

it("a donor's region is given up and taken up again while it is connected", () => {
  const record = sampleDonor(freshId("don"), { country: "NO" });
  const session = new DonorSession(
    { record, capability: CAPABILITY, signals: SIGNALS, notify: () => {}, disconnect: () => {} },
    0,
  );
  expect(session.view.country).toBe("NO");
  session.signalled({ ...SIGNALS, useRegion: false });
  expect(session.view.country).toBeNull();
  session.signalled(SIGNALS);
  expect(session.view.country).toBeNull();
  session.signalled({ ...SIGNALS, useRegion: true });
  expect(session.view.country).toBe("NO");
});
