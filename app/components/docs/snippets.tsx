"use client";
/** One program in several languages, to copy. */
import { useId, useRef, useState } from "react";

interface Snippet {
  readonly language: string;
  readonly source: string;
}

export function Snippets({ snippets }: { snippets: readonly Snippet[] }) {
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
        <button
          type="button"
          onClick={copy}
          className="rounded-md px-3 py-2 text-[0.92rem] text-ink-2 hover:bg-sunk hover:text-ink"
        >
          <span aria-live="polite">{copied ? "Copied" : "Copy"}</span>
        </button>
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
