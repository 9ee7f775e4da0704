"use client";
/** On or off, and checked or not. */
import { Checkbox as BaseCheckbox } from "@base-ui/react/checkbox";
import { Switch as BaseSwitch } from "@base-ui/react/switch";
import { Check } from "lucide-react";
import { type ReactNode, useId } from "react";

interface ToggleProps {
  readonly label: ReactNode;
  readonly hint?: ReactNode;
  readonly checked: boolean;
  readonly onChange: (checked: boolean) => void;
  readonly disabled?: boolean;
  readonly name?: string;
}

/** A setting that takes effect at once. */
export function Switch(props: ToggleProps) {
  return (
    <Labelled {...props}>
      {(ids) => (
        <BaseSwitch.Root
          {...ids}
          checked={props.checked}
          disabled={props.disabled ?? false}
          onCheckedChange={(checked) => props.onChange(checked)}
          className="relative mt-0.5 h-[22px] w-10 shrink-0 rounded-full border border-line-strong bg-sunk transition-colors data-checked:border-accent data-checked:bg-accent"
        >
          <BaseSwitch.Thumb className="block size-4 translate-x-[2px] rounded-full bg-ink-3 transition-[translate] data-checked:translate-x-5 data-checked:bg-on-accent" />
        </BaseSwitch.Root>
      )}
    </Labelled>
  );
}

/** A choice that is sent with a form. */
export function Checkbox(props: ToggleProps) {
  return (
    <Labelled {...props}>
      {(ids) => (
        <BaseCheckbox.Root
          {...ids}
          {...(props.name ? { name: props.name } : {})}
          checked={props.checked}
          disabled={props.disabled ?? false}
          onCheckedChange={(checked) => props.onChange(checked)}
          className="mt-[3px] grid size-[18px] shrink-0 place-items-center rounded-sm border border-line-strong bg-paper data-checked:border-accent data-checked:bg-accent"
        >
          <BaseCheckbox.Indicator className="data-unchecked:hidden">
            <Check aria-hidden="true" className="size-3.5 text-on-accent" strokeWidth={3} />
          </BaseCheckbox.Indicator>
        </BaseCheckbox.Root>
      )}
    </Labelled>
  );
}

interface Ids {
  readonly "aria-labelledby": string;
  readonly "aria-describedby"?: string;
}

function Labelled({ label, hint, children }: ToggleProps & { readonly children: (ids: Ids) => ReactNode }) {
  const id = useId();
  const ids: Ids = { "aria-labelledby": `${id}-label`, ...(hint ? { "aria-describedby": `${id}-hint` } : {}) };
  return (
    // biome-ignore lint/a11y/noLabelWithoutControl: the control is what `children` draws
    <label className="flex cursor-pointer items-start gap-3">
      {children(ids)}
      <span className="min-w-0">
        <span id={`${id}-label`}>{label}</span>
        {hint ? (
          <span id={`${id}-hint`} className="block text-[0.92rem] text-ink-3">
            {hint}
          </span>
        ) : null}
      </span>
    </label>
  );
}
