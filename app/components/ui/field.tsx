"use client";
/** Text fields with their label, hint and error, tied together for screen readers. */
import { Field as Base } from "@base-ui/react/field";
import type { ReactNode } from "react";
import { CONTROL } from "./looks.ts";

interface FieldProps {
  readonly label: string;
  /** What is wanted, in a line below. */
  readonly hint?: ReactNode;
  /** What is wrong and how to put it right; takes the hint's place. */
  readonly error?: string | null | undefined;
  readonly className?: string;
}

type InputProps = Omit<Base.Control.Props, "className" | "render"> & FieldProps & { readonly mono?: boolean };

/** One line of text. */
export function TextField({ label, hint, error, className = "", mono = false, name, ...rest }: InputProps) {
  return (
    <Base.Root
      {...(name ? { name } : {})}
      invalid={Boolean(error)}
      className={`grid content-start gap-1.5 ${className}`}
    >
      <Base.Label className="text-[0.95rem] font-[560]">{label}</Base.Label>
      <Base.Control className={`${CONTROL} min-h-11 w-full px-3 ${mono ? "number text-[0.95rem]" : ""}`} {...rest} />
      <Below hint={hint} error={error} />
    </Base.Root>
  );
}

/** Several lines of text. */
export function TextArea({
  label,
  hint,
  error,
  className = "",
  mono = false,
  rows = 4,
  ...rest
}: InputProps & { readonly rows?: number }) {
  return (
    <Base.Root invalid={Boolean(error)} className={`grid content-start gap-1.5 ${className}`}>
      <Base.Label className="text-[0.95rem] font-[560]">{label}</Base.Label>
      <Base.Control
        render={<textarea rows={rows} />}
        className={`${CONTROL} w-full px-3 py-2 ${mono ? "number text-[0.92rem]" : ""}`}
        {...rest}
      />
      <Below hint={hint} error={error} />
    </Base.Root>
  );
}

function Below({ hint, error }: Pick<FieldProps, "hint" | "error">) {
  if (error) {
    return (
      <Base.Error match className="text-[0.92rem] text-bad">
        {error}
      </Base.Error>
    );
  }
  return hint ? <Base.Description className="text-[0.92rem] text-ink-3">{hint}</Base.Description> : null;
}
