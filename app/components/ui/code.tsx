"use client";
/** Text for machines: shown in mono, copied with one click. */
import { Check, Copy } from "lucide-react";
import { useRef, useState } from "react";
import { showToast } from "./toast.tsx";

const SHOWN_MS = 1_500;

export function CopyButton({
  text,
  label = "Copy",
  className = "",
}: {
  text: string;
  label?: string;
  className?: string;
}) {
  const [copied, setCopied] = useState(false);
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined);
  async function copy() {
    try {
      await navigator.clipboard.writeText(text);
      setCopied(true);
      clearTimeout(timer.current);
      timer.current = setTimeout(() => setCopied(false), SHOWN_MS);
    } catch {
      showToast({
        title: "This browser did not let us copy",
        detail: "Select the text and copy it yourself.",
        tone: "bad",
      });
    }
  }
  const Icon = copied ? Check : Copy;
  return (
    <button
      type="button"
      onClick={copy}
      aria-label={copied ? "Copied" : label}
      className={`grid size-9 shrink-0 place-items-center rounded-md text-ink-3 hover:bg-line hover:text-ink ${className}`}
    >
      <Icon aria-hidden="true" className={`size-4 ${copied ? "text-good" : ""}`} strokeWidth={1.75} />
    </button>
  );
}

export function CodeBlock({ text, label = "Copy the code" }: { text: string; label?: string }) {
  return (
    <div className="relative rounded-md bg-sunk">
      <pre
        // biome-ignore lint/a11y/noNoninteractiveTabindex: a region that scrolls must be reachable with the keyboard
        tabIndex={0}
        className="number overflow-x-auto py-3 pr-12 pl-4 text-[0.84rem] leading-relaxed"
      >
        {text}
      </pre>
      <CopyButton text={text} label={label} className="absolute top-1 right-1" />
    </div>
  );
}
