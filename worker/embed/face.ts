/** The frame's picture: one layout for badge, card and bar (the style sheet arranges it), and what it says in each state. */
import type { EmbedFacts } from "#lib/protocol/embed.ts";
import type { DonorView } from "../messages.ts";
import type { ConsentProblem } from "./consent.ts";
import { element } from "./dom.ts";
import type { Words } from "./words.ts";

const LANES = 5;
const POWER_STEP = 5;

export interface FaceHandlers {
  start(event: MouseEvent): void;
  pause(): void;
  resume(): void;
  finish(): void;
  stop(): void;
  /** 0..1 */
  power(share: number): void;
}

export interface Face {
  readonly root: HTMLElement;
  readonly startButton: HTMLButtonElement;
  show(view: DonorView): void;
  /** Why the last press did not start anything. */
  tell(problem: ConsentProblem | "blocked"): void;
}

export function createFace(facts: EmbedFacts, words: Words, handlers: FaceHandlers): Face {
  const percent = Math.round(facts.power * 100);
  const number = new Intl.NumberFormat(facts.language);
  const lanes = createLanes();
  const status = element("p", { className: "status", set: { role: "status", "aria-live": "polite" } });
  const count = element("p", { className: "count" });
  const start = element("button", { className: "primary", text: words.start });
  const pause = element("button", { className: "quiet", text: words.pause });
  const resume = element("button", { className: "quiet", text: words.resume });
  const finish = element("button", { className: "quiet", text: words.finish });
  const stop = element("button", { className: "quiet", text: words.stop });
  const about = element("a", {
    className: "about",
    text: words.about,
    set: { href: "/docs/embed", target: "_blank", rel: "noopener" },
  });
  const power = createPower(words, percent, handlers.power);
  const root = element("main", { className: facts.widget, set: { "aria-label": words.region } }, [
    element("div", { className: "lanes" }, [lanes.picture]),
    element("div", { className: "words" }, [element("h1", { text: words.title }), status, count]),
    power,
    element("div", { className: "actions" }, [start, pause, resume, stop, finish]),
    about,
  ]);

  start.addEventListener("click", handlers.start);
  pause.addEventListener("click", handlers.pause);
  resume.addEventListener("click", handlers.resume);
  finish.addEventListener("click", handlers.finish);
  stop.addEventListener("click", handlers.stop);

  const offer = facts.widget === "badge" ? words.offerShort(percent) : words.offer(percent);
  let accepted = 0;
  function say(text: string): void {
    if (status.textContent !== text) status.textContent = text;
  }

  function show(view: DonorView): void {
    const { phase, totals } = view;
    const idle = phase === "idle";
    const byVisitor = view.pausedBecause === "visitor";
    root.dataset.phase = phase;
    start.hidden = !idle;
    // Only a card has room for two ways to stop.
    finish.hidden = facts.widget !== "card" || idle;
    // Not hidden in between: the card keeps its height, and the page around it its place.
    finish.disabled = phase !== "running" || !view.working;
    pause.hidden = idle || byVisitor || phase === "finishing";
    resume.hidden = !byVisitor || phase === "finishing";
    stop.hidden = idle;
    stop.disabled = phase === "stopping";
    say(facts.refusal === null ? sentence(view, words, offer) : words.refused[facts.refusal]);
    start.disabled = facts.refusal !== null;
    if (totals.microtasksAccepted !== accepted) lanes.advance();
    accepted = totals.microtasksAccepted;
    count.textContent = accepted === 0 ? "" : words.verified(number.format(accepted));
  }

  return {
    root,
    startButton: start,
    show,
    tell: (problem) => say(problem === "blocked" ? words.confirm.blocked : words.consent[problem]),
  };
}

function sentence(view: DonorView, words: Words, offer: string): string {
  switch (view.phase) {
    case "idle":
      return view.problem?.detail ?? offer;
    case "starting":
      return view.startingWith === "measuring" ? words.measuring : words.starting;
    case "paused":
      return view.pausedBecause === null ? words.waiting : words.paused[view.pausedBecause];
    case "finishing":
      return view.link === "online" ? words.finishing : words.offline;
    case "stopping":
      return words.stopping;
    case "running":
      if (view.link !== "online") return words.offline;
      if (!view.working) return words.waiting;
      return view.job?.privacy === "public" ? words.public : words.encrypted;
  }
}

/** Lanes fill one after the other, a step with each accepted microtask. */
function createLanes() {
  const bars = Array.from({ length: LANES }, () => element("i"));
  const picture = element("span", { set: { "aria-hidden": "true" } }, bars);
  let steps = 0;
  return {
    picture,
    advance(): void {
      const bar = bars[steps % LANES];
      steps++;
      // Full, then from the start again: four steps a lane.
      const fill = ((Math.floor((steps - 1) / LANES) % 4) + 1) / 4;
      bar?.style.setProperty("--fill", String(fill));
    },
  };
}

function createPower(words: Words, percent: number, onChange: (share: number) => void): HTMLElement {
  const least = Math.min(POWER_STEP, percent);
  const input = element("input", {
    set: { type: "range", min: String(least), max: String(percent), step: "1", value: String(percent) },
  });
  const output = element("span", { className: "percent", text: `${percent} %` });
  input.addEventListener("input", () => {
    output.textContent = `${input.value} %`;
    onChange(input.valueAsNumber / 100);
  });
  return element("label", { className: "power" }, [element("span", { text: words.power }), input, output]);
}
