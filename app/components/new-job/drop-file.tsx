"use client";
/** Takes one file, by dropping it or by choosing it. */
import { FileUp } from "lucide-react";
import { type DragEvent, useId, useState } from "react";

export interface DropFileProps {
  readonly label: string;
  readonly hint: string;
  readonly accept: string;
  readonly onFile: (file: File) => void;
}

export function DropFile({ label, hint, accept, onFile }: DropFileProps) {
  const id = useId();
  const [over, setOver] = useState(false);

  function drop(event: DragEvent<HTMLLabelElement>) {
    event.preventDefault();
    setOver(false);
    const file = event.dataTransfer.files[0];
    if (file) onFile(file);
  }

  return (
    <label
      htmlFor={id}
      onDragOver={(event) => {
        event.preventDefault();
        setOver(true);
      }}
      onDragLeave={() => setOver(false)}
      onDrop={drop}
      className={`grid cursor-pointer place-items-center rounded-lg border-2 border-dashed px-5 py-9 text-center transition-colors focus-within:border-accent focus-within:outline-2 focus-within:outline-accent ${
        over ? "border-accent bg-accent-wash" : "border-line-strong hover:border-ink-3 hover:bg-raised"
      }`}
    >
      <FileUp aria-hidden="true" className="size-6 text-ink-3" strokeWidth={1.5} />
      <span className="mt-2.5 text-[1.08rem] font-[560]">{label}</span>
      <span className="mt-0.5 text-[0.95rem] text-ink-3">{hint}</span>
      <input
        id={id}
        type="file"
        accept={accept}
        className="sr-only"
        onChange={(event) => {
          const file = event.target.files?.[0];
          event.target.value = "";
          if (file) onFile(file);
        }}
      />
    </label>
  );
}
