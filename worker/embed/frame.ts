/**
 * The frame on a partner's page. Until a person starts it, it is a button and some words: the donor's code is loaded after
 * consent (consent.ts), its workers after that. It tells the page around it what happens and takes no orders from it.
 */
import type { EmbedFacts } from "#lib/protocol/embed.ts";
import type { Donor } from "../host/donor.ts";
import { IDLE_VIEW } from "../host/idle-view.ts";
import type { DonorView } from "../messages.ts";
import { askInOwnWindow } from "./ask.ts";
import { pressOf, problemWith, watchSight } from "./consent.ts";
import { readFacts } from "./dom.ts";
import { createFace } from "./face.ts";
import type { EmbedEvent, FrameMessage } from "./messages.ts";
import { WORDS } from "./words.ts";

const facts: EmbedFacts = readFacts();
const { admitted } = facts;
const now = (): number => performance.now();
/** The visitor's choice of power before the donor exists. */
let share = facts.power;
let donor: Donor | null = null;
let view: DonorView = IDLE_VIEW;
let asking = false;

const face = createFace(facts, WORDS[facts.language], {
  start: (event) => void press(event),
  pause: () => donor?.pause(),
  resume: () => donor?.resume(),
  finish: () => donor?.finish(),
  stop: () => donor?.stop(),
  power(next) {
    share = next;
    donor?.change({ cpuShare: next, gpuShare: next });
  },
});
document.body.append(face.root);
const sight = watchSight(face.startButton, now);
face.show(view);
tell({ flux: 1, event: "ready", detail: detail(null) });
new ResizeObserver(() => tell({ flux: 1, event: "size", height: Math.ceil(face.root.offsetHeight) })).observe(
  face.root,
);

async function press(event: MouseEvent): Promise<void> {
  if (!admitted || asking) return;
  const problem = problemWith(pressOf(event), sight.read(), now());
  if (problem !== null) face.tell(problem);
  if (problem === "elsewhere") {
    const answer = askInOwnWindow(admitted.siteKey, facts.language);
    if (!answer) return face.tell("blocked");
    asking = true;
    const yes = await answer;
    asking = false;
    if (yes) await start();
    else face.show(view);
  } else if (problem === null) await start();
}

/** After consent: now the donor's code comes, and with it the workers. */
async function start(): Promise<void> {
  donor ??= await makeDonor();
  donor.change({ cpuShare: share, gpuShare: share });
  donor.start();
}

async function makeDonor(): Promise<Donor> {
  const { createDonor } = await import("../host/donor.ts");
  const made = createDonor({
    origin: location.origin,
    maxShare: facts.power,
    fixedSettings: {
      pauseWhenHidden: true,
      pauseOnBattery: true,
      pauseOnMetered: true,
      onlyWhenIdle: false,
      hours: null,
      keepAwake: false,
    },
    element: face.root,
    ...(admitted && { siteKey: admitted.siteKey, siteTicket: admitted.ticket }),
  });
  made.subscribe(() => {
    const before = view;
    view = made.view();
    face.show(view);
    report(before, view);
  });
  return made;
}

function report(before: DonorView, after: DonorView): void {
  const event = eventOf(before, after);
  if (event) tell({ flux: 1, event, detail: detail(after.pausedBecause ?? after.problem?.code ?? null) });
}

function eventOf(before: DonorView, after: DonorView): EmbedEvent | null {
  if (before.phase !== after.phase) {
    if (after.phase === "running") return "started";
    if (after.phase === "paused") return "paused";
    if (after.phase === "idle") return "stopped";
  }
  return before.totals.microtasksAccepted === after.totals.microtasksAccepted ? null : "progress";
}

function detail(reason: string | null) {
  const running = view.phase === "running" || view.phase === "finishing";
  return { microtasks: view.totals.microtasksAccepted, share: running ? view.cpuShare : 0, reason };
}

/** To the page that this document was made for, and to no other. */
function tell(message: FrameMessage): void {
  if (window.parent !== window && admitted) window.parent.postMessage(message, admitted.origin);
}
