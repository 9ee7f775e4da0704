"use client";
/** Encrypted, or public by name: never one in place of the other. */
import { Eye, EyeOff } from "lucide-react";
import type { ModelResource } from "#lib/protocol/api/uploads.ts";

export type Privacy = "encrypted" | "public";

const CHOICES = [
  {
    value: "encrypted",
    icon: EyeOff,
    title: "Encrypted",
    text: "Donors compute on ciphertext and never see a record. The model’s weights are visible to them.",
  },
  {
    value: "public",
    icon: Eye,
    title: "Public",
    text: "For data that is public anyway. Donors see every record and the model; faster, and any ONNX model runs.",
  },
] as const;

export function PrivacyChoice({
  model,
  chosen,
  onChoose,
}: {
  model: ModelResource;
  chosen: Privacy | null;
  onChoose: (privacy: Privacy) => void;
}) {
  return (
    <fieldset className="grid gap-3 sm:grid-cols-2">
      <legend className="sr-only">Who may see the data</legend>
      {CHOICES.map(({ value, icon: Icon, title, text }) => {
        const possible = value === "public" || model.encrypted.supported;
        return (
          <label
            key={value}
            className={`flex gap-3 rounded-lg border p-4 focus-within:outline-2 focus-within:outline-accent ${
              chosen === value ? "border-accent bg-accent-wash" : "border-line-strong bg-raised"
            } ${possible ? "cursor-pointer hover:border-ink" : "opacity-60"}`}
          >
            <input
              type="radio"
              name="privacy"
              value={value}
              checked={chosen === value}
              disabled={!possible}
              onChange={() => onChoose(value)}
              className="mt-1.5 size-4 accent-(--accent)"
            />
            <span>
              <span className="flex items-center gap-2 font-[600]">
                <Icon aria-hidden="true" className="size-4" /> {title}
              </span>
              <span className="mt-1 block text-[0.97rem] text-ink-2">
                {possible ? text : "This model has an operator that cannot run on encrypted data (see above)."}
              </span>
            </span>
          </label>
        );
      })}
    </fieldset>
  );
}
