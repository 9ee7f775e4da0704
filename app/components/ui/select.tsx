"use client";
/** One of a few. */
import { Select as Base } from "@base-ui/react/select";
import { Check, ChevronsUpDown } from "lucide-react";
import { CONTROL, POPUP, POPUP_ITEM } from "./looks.ts";

export interface Choice<Value extends string> {
  readonly value: Value;
  readonly label: string;
  /** A second, quiet line. */
  readonly note?: string;
}

export interface SelectProps<Value extends string> {
  readonly label: string;
  readonly choices: readonly Choice<Value>[];
  readonly value: Value | null;
  readonly onChange: (value: Value) => void;
  readonly placeholder?: string;
  /** The label is only for screen readers. */
  readonly quietLabel?: boolean;
  /** In tables and beside text. */
  readonly small?: boolean;
  readonly name?: string;
  readonly disabled?: boolean;
  readonly className?: string;
}

export function Select<Value extends string>(props: SelectProps<Value>) {
  const { label, choices, value, onChange, placeholder = "Choose…", quietLabel = false, small = false } = props;
  const text = new Map(choices.map((choice) => [choice.value, choice.label]));
  return (
    <Base.Root
      items={choices.map(({ value: item, label: itemLabel }) => ({ value: item, label: itemLabel }))}
      value={value}
      onValueChange={(next) => next !== null && onChange(next)}
      {...(props.name ? { name: props.name } : {})}
      disabled={props.disabled ?? false}
    >
      <span className={`grid min-w-0 content-start gap-1.5 ${props.className ?? ""}`}>
        <Base.Label className={quietLabel ? "sr-only" : "text-[0.95rem] font-[560]"}>{label}</Base.Label>
        <Base.Trigger
          className={`${CONTROL} flex w-full min-w-0 items-center justify-between gap-2 text-left ${
            small ? "min-h-9 px-2.5 text-[0.92rem]" : "min-h-11 px-3"
          }`}
        >
          <Base.Value className="truncate">
            {(chosen: Value | null) =>
              chosen === null ? <span className="text-ink-3">{placeholder}</span> : (text.get(chosen) ?? chosen)
            }
          </Base.Value>
          <Base.Icon className="shrink-0 text-ink-3">
            <ChevronsUpDown aria-hidden="true" className="size-4" strokeWidth={1.75} />
          </Base.Icon>
        </Base.Trigger>
      </span>
      <Base.Portal>
        <Base.Positioner sideOffset={4} alignItemWithTrigger={false} className="z-50 outline-none">
          <Base.Popup
            className={`${POPUP} max-h-(--available-height) min-w-(--anchor-width) max-w-[min(28rem,90vw)] overflow-y-auto p-1`}
          >
            {choices.map((choice) => (
              <Base.Item key={choice.value} value={choice.value} className={`${POPUP_ITEM} pr-8`}>
                <span className="min-w-0">
                  <Base.ItemText className="block truncate">{choice.label}</Base.ItemText>
                  {choice.note ? <span className="block text-[0.85rem] text-ink-3">{choice.note}</span> : null}
                </span>
                <Base.ItemIndicator className="absolute right-3">
                  <Check aria-hidden="true" className="size-4 text-accent" />
                </Base.ItemIndicator>
              </Base.Item>
            ))}
          </Base.Popup>
        </Base.Positioner>
      </Base.Portal>
    </Base.Root>
  );
}
