/** What a submitter may say of a job besides model, data and privacy, as it is typed and as POST /jobs takes it. */
import { z } from "zod";
import type { Reducer } from "#lib/protocol/api/aggregation.ts";
import { CreateJob } from "#lib/protocol/api/jobs.ts";
import { SegmentSpec } from "#lib/protocol/datasets.ts";

/** Texts as typed; empty is left out. */
export interface Extras {
  readonly name: string;
  readonly cut: "none" | "window" | "tile";
  readonly length: string;
  readonly stride: string;
  readonly size: string;
  readonly overlap: string;
  readonly reducer: Reducer;
  /** A group's id. */
  readonly group: string;
  readonly regions: string;
  readonly runtime: "auto" | "onnxruntime" | "tfjs";
  readonly fidelityPercent: string;
}

export const NO_EXTRAS: Extras = {
  name: "",
  cut: "none",
  length: "",
  stride: "",
  size: "",
  overlap: "0",
  reducer: "auto",
  group: "",
  regions: "",
  runtime: "auto",
  fidelityPercent: "99",
};

type Options = { readonly segments?: SegmentSpec } & Partial<
  Pick<z.input<typeof CreateJob>, "name" | "aggregation" | "group" | "regions" | "runtime" | "min_fidelity">
>;

export type ReadExtras =
  | { readonly ok: true; readonly options: Options }
  | { readonly ok: false; readonly errors: Partial<Record<keyof Extras, string>> };

const whole = (least: number) =>
  z
    .string()
    .trim()
    .regex(/^\d+$/, `a whole number from ${least} on is wanted here`)
    .transform(Number)
    .refine((value) => value >= least, `a whole number from ${least} on is wanted here`);
const percent = z
  .string()
  .trim()
  .regex(/^\d+([.,]\d+)?$/, "a number from 0 to 100 is wanted here")
  .transform((text) => Number(text.replace(",", ".")) / 100)
  .refine((share) => share <= 1, "a number from 0 to 100 is wanted here");

/** The same rules as the API's, with what is wrong at the field where it was typed. */
export function readExtras(extras: Extras): ReadExtras {
  const errors: Partial<Record<keyof Extras, string>> = {};
  function read<Value>(field: keyof Extras, schema: z.ZodType<Value>): Value | undefined {
    const parsed = schema.safeParse(extras[field]);
    if (!parsed.success) errors[field] = parsed.error.issues[0]?.message ?? "this cannot be read";
    return parsed.data;
  }
  const { shape } = CreateJob;
  const name = extras.name.trim() === "" ? undefined : read("name", z.string().trim().pipe(z.string().max(120)));
  const regions = extras.regions.trim() === "" ? undefined : read("regions", z.string().transform(codesOf).pipe(Codes));
  const minFidelity = read("fidelityPercent", percent);
  const segments = segmentsOf(extras, read);
  if (Object.keys(errors).length > 0) return { ok: false, errors };
  const group = extras.group === "" ? undefined : shape.group.parse(extras.group);
  return {
    ok: true,
    options: {
      ...(name ? { name } : {}),
      ...(segments ? { segments } : {}),
      ...(extras.reducer === "auto" ? {} : { aggregation: extras.reducer }),
      ...(group ? { group } : {}),
      ...(regions ? { regions: { allow: regions } } : {}),
      ...(extras.runtime === "auto" ? {} : { runtime: extras.runtime }),
      ...(minFidelity === undefined ? {} : { min_fidelity: minFidelity }),
    },
  };
}

type Read = <Value>(field: keyof Extras, schema: z.ZodType<Value>) => Value | undefined;

function segmentsOf({ cut }: Extras, read: Read): SegmentSpec | undefined {
  switch (cut) {
    case "none":
      return undefined;
    case "window": {
      const [length, stride] = [read("length", whole(1)), read("stride", whole(1))];
      return length && stride ? SegmentSpec.parse({ kind: "window", length, stride }) : undefined;
    }
    case "tile": {
      const [size, overlap] = [read("size", whole(1)), read("overlap", whole(0))];
      return size && overlap !== undefined ? SegmentSpec.parse({ kind: "tile", size, overlap }) : undefined;
    }
  }
}

const Codes = z
  .array(z.string().regex(/^[A-Z]{2,4}$/, "country codes like DE, or groups like EU, with commas between"))
  .min(1, "country codes like DE, or groups like EU, with commas between")
  .max(250);

function codesOf(text: string): string[] {
  return text
    .split(/[\s,;]+/)
    .filter((code) => code !== "")
    .map((code) => code.toUpperCase());
}
