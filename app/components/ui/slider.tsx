"use client";
/** A number by hand, with its value always shown. */
import { Slider as Base } from "@base-ui/react/slider";

export interface SliderProps {
  readonly label: string;
  readonly value: number;
  readonly min: number;
  readonly max: number;
  readonly step?: number;
  /** The value with its unit. */
  readonly format: (value: number) => string;
  readonly onChange: (value: number) => void;
  readonly hint?: string;
  readonly className?: string;
}

export function Slider({ label, value, min, max, step = 1, format, onChange, hint, className = "" }: SliderProps) {
  return (
    <Base.Root value={value} min={min} max={max} step={step} onValueChange={onChange} className={className}>
      <div className="flex items-baseline justify-between gap-4">
        <Base.Label className="text-[0.95rem] font-[560]">{label}</Base.Label>
        <Base.Value className="number text-[0.95rem]">{() => format(value)}</Base.Value>
      </div>
      <Base.Control className="flex touch-none items-center py-3.5 select-none">
        <Base.Track className="h-px w-full bg-line-strong">
          <Base.Indicator className="-top-px h-[3px] bg-accent" />
          <Base.Thumb
            getAriaValueText={(_text, current) => format(current)}
            className="h-5 w-2.5 rounded-sm bg-accent has-focus-visible:outline-2 has-focus-visible:outline-offset-2 has-focus-visible:outline-accent"
          />
        </Base.Track>
      </Base.Control>
      {hint ? <p className="text-[0.9rem] text-ink-3">{hint}</p> : null}
    </Base.Root>
  );
}
