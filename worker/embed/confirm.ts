/**
 * The window that asks: top-level, of our origin, never framed. Its buttons work only after it has been in front for a
 * moment, so that the second click of a double click that opened it does not answer.
 */
import type { ConfirmFacts } from "#lib/protocol/embed.ts";
import type { ConfirmAnswer } from "./ask.ts";
import { element, readFacts } from "./dom.ts";
import { WORDS } from "./words.ts";

const READY_MS = 800;

const facts: ConfirmFacts = readFacts();
const words = WORDS[facts.language].confirm;
const opener: Window | null = window.opener;
document.title = words.title;

const yes = element("button", { className: "primary", text: words.yes });
const no = element("button", { className: "quiet", text: words.no });
const known = facts.site !== null && opener !== null;
const content = element("main", { className: "confirm" }, [
  element("h1", { text: words.title }),
  element("p", { text: known && facts.site !== null ? words.text(facts.site) : words.unknown }),
  ...(known ? [element("div", { className: "actions" }, [yes, no])] : []),
]);
document.body.append(content);

function answer(event: MouseEvent, agreed: boolean): void {
  if (!event.isTrusted || !opener) return;
  const message: ConfirmAnswer = { flux: "consent", yes: agreed };
  // Only a frame of our own origin hears this.
  opener.postMessage(message, location.origin);
  window.close();
}
yes.addEventListener("click", (event) => answer(event, true));
no.addEventListener("click", (event) => answer(event, false));

let readying: ReturnType<typeof setTimeout> | undefined;
function readyLater(): void {
  clearTimeout(readying);
  yes.disabled = true;
  readying = setTimeout(() => {
    yes.disabled = document.visibilityState !== "visible";
  }, READY_MS);
}
readyLater();
window.addEventListener("focus", readyLater);
document.addEventListener("visibilitychange", readyLater);
