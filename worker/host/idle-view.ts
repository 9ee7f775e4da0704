/** What a page shows before anything runs. */
import type { DonorView } from "../messages.ts";

export const IDLE_VIEW: DonorView = {
  phase: "idle",
  link: "none",
  pausedBecause: null,
  startingWith: null,
  job: null,
  kernel: null,
  runtime: null,
  working: false,
  waitingBecause: null,
  held: [],
  finished: [],
  totals: {
    microtasksAccepted: 0,
    unitsAccepted: 0,
    microtasksRefused: 0,
    leasesReturned: 0,
    bytesDown: 0,
    bytesUp: 0,
    computeMs: 0,
  },
  unitsPerSecond: 0,
  busyShare: 0,
  cpuShare: 1,
  gpuShare: 1,
  country: null,
  donorsOnline: null,
  jobsRunning: null,
  capability: null,
  problem: null,
};
