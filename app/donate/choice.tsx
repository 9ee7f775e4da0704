"use client";
/** A setting that is on or off, with a word on what it means. */
import { useId } from "react";

export interface ChoiceProps {
  readonly text: string;
  readonly hint?: string;
  readonly checked: boolean;
  readonly disabled?: boolean;
  readonly onChange: (checked: boolean) => void;
}

export function Choice({ text, hint, checked, disabled = false, onChange }: ChoiceProps) {
  const id = useId();
  return (
    <div className="flex min-h-11 items-start gap-3 py-2">
      <input
        id={id}
        type="checkbox"
        checked={checked}
        disabled={disabled}
        onChange={(event) => onChange(event.target.checked)}
        className="mt-1 size-[1.1rem] shrink-0 accent-accent"
        aria-describedby={hint ? `${id}-hint` : undefined}
      />
      <div>
        <label htmlFor={id} className={disabled ? "text-ink-3" : ""}>
          {text}
        </label>
        {hint ? (
          <p id={`${id}-hint`} className="text-[0.88rem] text-ink-3">
            {hint}
          </p>
        ) : null}
      </div>
    </div>
  );
}
