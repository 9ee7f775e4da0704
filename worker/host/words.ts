/** What a donor does, said in a sentence: for the live region, and for everyone who looks. */
import type { DonorView, PauseReason } from "../messages.ts";

const PAUSED: Record<PauseReason, string> = {
  visitor: "You paused.",
  battery: "This device runs on battery. Donating goes on when it is plugged in.",
  metered: "This connection is metered or saves data. Donating goes on when it no longer is.",
  hidden: "This page is hidden. Donating goes on when it is in view.",
  "in-use": "You are at this device. Donating goes on when it has been left alone for a minute.",
  hours: "This is outside the hours that you chose. Donating goes on when they begin.",
  left: "This page was left.",
};

export function statusOf(view: DonorView): string {
  switch (view.phase) {
    case "idle":
      return "Not donating. Nothing is loaded and nothing runs until you start.";
    case "starting":
      return view.startingWith === "measuring"
        ? "Measuring what this browser can do. This takes about two seconds, and longer where it has to be fetched first."
        : "Connecting to the coordinator.";
    case "running":
      return running(view);
    case "paused":
      return `Paused. ${view.pausedBecause === null ? "" : PAUSED[view.pausedBecause]}`.trim();
    case "finishing":
      return view.link === "online"
        ? "Finishing what computes now, then stopping. What only waited here has gone to others."
        : "The connection broke. The finished result is sent when it is back, then this tab stops.";
    case "stopping":
      return "Stopping, and giving work back to others.";
  }
}

function running(view: DonorView): string {
  if (view.link !== "online") return "The connection broke. Trying again; finished results are kept and sent then.";
  if (!view.working) return view.waitingBecause ? `Waiting. ${sentence(view.waitingBecause)}` : "Waiting for work.";
  const title = view.job ? `“${view.job.title}”` : "a job";
  const data = view.job?.privacy === "public" ? "on public data" : "on encrypted data that this browser cannot read";
  return `Computing ${title} ${data}.`;
}

function sentence(words: string): string {
  return `${words.charAt(0).toUpperCase()}${words.slice(1)}${words.endsWith(".") ? "" : "."}`;
}
