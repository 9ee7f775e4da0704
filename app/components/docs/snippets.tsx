"use client";
/** One program in several languages, to copy. */
import { useId, useRef, useState } from "react";
import { type Language, QUICK_START } from "#lib/client/snippets/quick-start.ts";
import { NewApiKey } from "#lib/protocol/api/access.ts";
import { postJson, problemText } from "../api.ts";
import { showToast } from "../ui/toast.tsx";

const LANGUAGES: readonly Language[] = ["curl", "TypeScript", "Python"];
const PLACEHOLDER = "flux_sk_…";

interface SnippetsProps {
  readonly url: string;
  /** Somebody is signed in who may make keys: the programs can carry one of theirs. */
  readonly mayMakeKey: boolean;
}

/** Only a key's fingerprint is kept, so the programs cannot show one that exists: they are given one of their own. */
async function makeKey(): Promise<string> {
  const scopes = ["jobs:read", "jobs:write"];
  return NewApiKey.parse(await postJson("/api/v1/keys", { name: "From the docs", scopes })).key;
}

export function Snippets({ url, mayMakeKey }: SnippetsProps) {
  const [key, setKey] = useState<string | null>(null);
  const snippets = LANGUAGES.map((language) => ({
    language,
    source: QUICK_START[language]({ url, key: key ?? PLACEHOLDER }),
  }));
  const [chosen, setChosen] = useState(0);
  const [copied, setCopied] = useState(false);
  const id = useId();
  const tabs = useRef<(HTMLButtonElement | null)[]>([]);
  const { language, source } = snippets[chosen] ?? { language: "", source: "" };

  function choose(index: number) {
    const next = (index + snippets.length) % snippets.length;
    setChosen(next);
    setCopied(false);
    tabs.current[next]?.focus();
  }

  async function putKeyIn() {
    try {
      setKey(await makeKey());
      showToast({ title: "The programs carry a new key of yours", detail: "It is in your API keys.", tone: "good" });
    } catch (error) {
      showToast({ title: "No key was made", detail: problemText(error), tone: "bad" });
    }
  }

  async function copy() {
    try {
      await navigator.clipboard.writeText(source);
      setCopied(true);
    } catch {
      // Clipboard denied: the text can still be selected.
    }
  }

  return (
    <div className="mt-4 overflow-hidden rounded-lg border border-line bg-raised">
      <div className="flex flex-wrap items-center justify-between gap-2 border-b border-line px-2">
        <div role="tablist" aria-label="Language" className="flex">
          {snippets.map((snippet, index) => (
            <button
              key={snippet.language}
              ref={(element) => {
                tabs.current[index] = element;
              }}
              type="button"
              role="tab"
              id={`${id}-tab-${index}`}
              aria-selected={index === chosen}
              aria-controls={`${id}-panel`}
              tabIndex={index === chosen ? 0 : -1}
              onClick={() => choose(index)}
              onKeyDown={(event) => {
                if (event.key === "ArrowRight") choose(chosen + 1);
                if (event.key === "ArrowLeft") choose(chosen - 1);
              }}
              className={`border-b-2 px-3 py-2.5 text-[0.95rem] ${
                index === chosen ? "border-accent font-[560] text-ink" : "border-transparent text-ink-2 hover:text-ink"
              }`}
            >
              {snippet.language}
            </button>
          ))}
        </div>
        <div className="flex flex-wrap">
          {mayMakeKey && key === null ? (
            <button
              type="button"
              onClick={() => void putKeyIn()}
              className="rounded-md px-3 py-2 text-[0.92rem] text-accent hover:bg-sunk"
            >
              Put a key of mine in
            </button>
          ) : null}
          <button
            type="button"
            onClick={copy}
            className="rounded-md px-3 py-2 text-[0.92rem] text-ink-2 hover:bg-sunk hover:text-ink"
          >
            <span aria-live="polite">{copied ? "Copied" : "Copy"}</span>
          </button>
        </div>
      </div>
      <pre
        role="tabpanel"
        id={`${id}-panel`}
        aria-labelledby={`${id}-tab-${chosen}`}
        aria-label={language}
        // biome-ignore lint/a11y/noNoninteractiveTabindex: a region that scrolls must be reachable with the keyboard
        tabIndex={0}
        className="number overflow-x-auto px-4 py-4 text-[0.82rem] leading-relaxed"
      >
        {source}
      </pre>
    </div>
  );
}
