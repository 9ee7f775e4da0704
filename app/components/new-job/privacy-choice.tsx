"use client";
/** Who may see the data, and who holds the key: chosen by name, never one in place of another. */
import { Eye, EyeOff, KeyRound } from "lucide-react";

/** `sealed`: encrypted under a key of this browser. `encrypted`: the server encrypts. */
export type Mode = "sealed" | "encrypted" | "public";

const CHOICES = [
  {
    value: "sealed",
    icon: KeyRound,
    title: "Encrypted, the key stays here",
    text: "This browser encrypts. Neither donors nor this server can read a record or an answer. Keep the page open while it works.",
  },
  {
    value: "encrypted",
    icon: EyeOff,
    title: "Encrypted, this server keeps the key",
    text: "You upload the records and may leave; the server encrypts. Donors cannot read them.",
  },
  {
    value: "public",
    icon: Eye,
    title: "Public",
    text: "For data that is public anyway. Donors see every record; faster, and any model runs.",
  },
] as const;

export interface PrivacyChoiceProps {
  readonly chosen: Mode | null;
  /** Why a mode cannot be had; null where it can. */
  readonly impossible: Readonly<Record<Mode, string | null>>;
  readonly onChoose: (mode: Mode) => void;
}

export function PrivacyChoice({ chosen, impossible, onChoose }: PrivacyChoiceProps) {
  return (
    <fieldset className="grid gap-3 lg:grid-cols-3">
      <legend className="sr-only">Who may see the data</legend>
      {CHOICES.map(({ value, icon: Icon, title, text }) => {
        const reason = impossible[value];
        return (
          <label
            key={value}
            className={`flex gap-3 rounded-lg border p-4 has-focus-visible:outline-2 has-focus-visible:outline-offset-2 has-focus-visible:outline-accent ${
              chosen === value ? "border-accent bg-accent-wash" : "border-line-strong bg-raised"
            } ${reason === null ? "cursor-pointer hover:border-ink" : "cursor-not-allowed"}`}
          >
            <input
              type="radio"
              name="privacy"
              value={value}
              checked={chosen === value}
              disabled={reason !== null}
              onChange={() => onChoose(value)}
              className="mt-1.5 size-4 shrink-0 accent-(--accent)"
            />
            <span className={reason === null ? "" : "text-ink-3"}>
              <span className="flex items-center gap-2 font-[600]">
                <Icon aria-hidden="true" className="size-4 shrink-0" /> {title}
              </span>
              <span className={`mt-1 block text-[0.95rem] ${reason === null ? "text-ink-2" : ""}`}>
                {reason ?? text}
              </span>
            </span>
          </label>
        );
      })}
    </fieldset>
  );
}
