import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { coordinator } from "#lib/coordinator/registry.ts";
import { Head, Table, Td, Th, Tr } from "../../components/ui/table.tsx";
import { formatCount, formatPercent } from "../../format.ts";

export const metadata = { title: "Combining answers" };

const Summary = z.object({ mean: z.number(), standardError: z.number() });
const Gains = z.array(
  z.object({
    task: z.string(),
    rows: z.array(z.object({ name: z.string(), accuracyGain: Summary, logLossGain: Summary })),
  }),
);
/** Written by `npm run bench:aggregation`. */
const Measured = z.object({
  labels: z.number(),
  few: z.number(),
  draws: z.number(),
  withManyLabels: z.array(
    z.object({
      task: z.string(),
      records: z.number(),
      chosen: z.string(),
      rows: z.array(
        z.object({
          reducer: z.string(),
          accuracy: z.number(),
          accuracyInterval: z.tuple([z.number(), z.number()]),
          gain: z.object({ mean: z.number(), error: z.number() }),
          logLoss: z.number(),
          calibrationError: z.number(),
          calibrationFloor: z.number(),
        }),
      ),
    }),
  ),
  withFewLabels: Gains,
  /** Not there before it was measured, too. */
  unequal: Gains.default([]),
  noise: z.object({ draws: z.number(), kept: z.number() }),
});
type Measured = z.infer<typeof Measured>;

/** Null where the benchmark never ran. */
async function readMeasured(): Promise<Measured | null> {
  const path = join(coordinator().config.projectFolder, "app/docs/aggregation/measured.json");
  const text = await readFile(path, "utf8").catch(() => null);
  return text === null ? null : Measured.parse(JSON.parse(text));
}

export default async function Aggregation() {
  const measured = await readMeasured();
  return (
    <article className="max-w-3xl">
      <h1 className="text-[2.2rem]">Combining answers</h1>
      <p className="mt-3 text-[1.12rem] text-ink-2">
        A record may be read by several models, or cut into windows or tiles that one model reads one by one.
        Aggregation makes one answer of all of them, and says how good that answer is.
      </p>

      <h2 className="mt-10 text-[1.5rem]">Several models, windows, tiles</h2>
      <ul className="mt-3 grid list-disc gap-2 pl-5 text-ink-2">
        <li>
          <Code>{'"models": ["mdl_…", "mdl_…"]'}</Code>: every record goes to all members. In encrypted jobs members
          read the same ciphertexts: their programs are joined to one, so that a donor downloads a lane once for all of
          them.
        </li>
        <li>
          <Code>{'"segments": {"kind": "window", "length": 64, "stride": 32}'}</Code> cuts signals and token sequences,{" "}
          <Code>{'{"kind": "tile", "size": 16, "overlap": 4}'}</Code> images. The model’s input has the segment’s shape.
        </li>
        <li>
          <Code>{'"aggregation"'}</Code>: <Code>concat</Code> keeps every segment’s output; <Code>mean</Code>,{" "}
          <Code>vote</Code> and <Code>max</Code> (the surest segment) are simple; <Code>auto</Code> and{" "}
          <Code>learned</Code> use the learned reducer where it is proven better.
        </li>
      </ul>

      <h2 className="mt-10 text-[1.5rem]">The learned reducer</h2>
      <p className="mt-2 text-ink-2">
        A small network scores every segment by where it lies, how sure it is, how far it is from the others, and how
        often its member agrees with the others over the whole job, measured against how sure it claims to be: that
        finds broken members without a label. The scores weigh the segments; a temperature and a bias correct the stated
        certainty; and for every member it learns what its “4” says about each class, which repairs members whose
        classes are numbered differently. It is fitted to labelled records: a label column of the dataset, or feedback.
        The fewer labels there are, the less it may move away from what earlier jobs taught.
      </p>
      <p className="mt-2 text-ink-2">
        A second opinion needs no label: a linear discriminant over everything that the members say of a record, taught
        on some thousand of the job’s own records by the members’ pooled answers. It knows which answers vary together,
        so that members that err alike do not count twice. How far it counts is learned, too. It is there from a hundred
        records on, for up to 256 members × classes.
      </p>
      <p className="mt-2 text-ink-2">
        Classes that all members together name too often are named less, and neglected ones more. That takes knowing how
        often each class occurs. Two stories are weighed: all classes are equally frequent, and the answers are off by
        what members that err this often are off by; or they are not, and the answers show about how. Labels, where
        there are some, tip the scale. Rare and neglected classes look alike: where your classes are unequal, label a
        hundred records or more: below stands what it costs not to.
      </p>
      <p className="mt-2 text-ink-2">
        How a segment was computed counts as well: exactly in encrypted lanes, or in float32, with how far its donor’s
        results lay from recomputed ones, within what is allowed.
      </p>
      <p className="mt-2 text-ink-2">
        It is used only if, on records that it was not fitted to, its loss is lower than the best simple reducer’s by
        more than one standard error and it is not less accurate. Otherwise the simple one is used, and the report says
        so.{" "}
        {measured ? (
          <>
            With labels that are noise, a simple reducer was kept in{" "}
            <span className="number">
              {measured.noise.kept} of {measured.noise.draws}
            </span>{" "}
            draws.
          </>
        ) : null}
      </p>

      <h2 className="mt-10 text-[1.5rem]">Feedback</h2>
      <p className="mt-2 text-ink-2">
        <Code>POST /jobs/ID/feedback</Code> takes labels and ratings at any time, as JSON or CSV. Labels are fitted to
        at once and make a new version of the results; older versions stay (<Code>?version=</Code>). Ratings are kept
        and shown and change no answer. A label that contradicts what is known is refused unless you say{" "}
        <Code>replace</Code>; so are unknown records, records named twice, and requests that are too large. Nothing of a
        refused request is kept.
      </p>

      <h2 className="mt-10 text-[1.5rem]">Across jobs</h2>
      <p className="mt-2 text-ink-2">
        A start of the scoring network is learned over this server’s earlier jobs (Reptile), and settles where it is
        best on all of them before anything is fitted to them. A fit tries it beside a fresh start, and leaves it where
        the fresh one does better on records it was not fitted to, by more than two standard errors; the report names
        it. Kept for that are log-probabilities and right classes of up to 500 labelled records a job and what the job’s
        outputs say of its members, no records and no ids. <Code>{'"contribute": false'}</Code> keeps a job out, and
        jobs whose key is yours are never in. Without labels, a start is used only if it beat the mean on earlier jobs
        that it had not seen.
      </p>

      <h2 className="mt-10 text-[1.5rem]">Measured</h2>
      {measured ? <Tables measured={measured} /> : <p className="mt-2 text-ink-2">Not measured on this server yet.</p>}
      <p className="mt-3 text-[0.95rem] text-ink-3">
        To repeat: <code className="number">npm run bench:aggregation</code>, which writes these tables, and{" "}
        <code className="number">npm run bench:ensemble</code> for the bytes of an encrypted ensemble.
      </p>
    </article>
  );
}

function Tables({ measured }: { measured: Measured }) {
  return (
    <>
      <p className="mt-2 text-ink-2">
        Real handwritten digits (MNIST) and generated signals, {formatCount(measured.labels)} labels, judged on all
        other records. a: four overlapping 16 × 16 tiles of each digit, one small network for all. b: seven small
        networks, each trained on 300 digits for five epochs. c: the same with two broken: one reads pixels that are 1
        too bright (its normalisation was forgotten), one reads the negative. d: seven windows of a signal. Two rows
        more show other ways to break two members (6 pixels to the right and negative; classes numbered one too high and
        probabilities reversed), which hurt the mean less, so that there is less to gain. What was tuned was tuned on
        other digits and other networks; so were the earlier jobs, fourteen of them. “Off in certainty” is the expected
        calibration error over 15 bins; perfectly calibrated answers would show the next column’s, by chance alone.
      </p>
      <ManyLabels measured={measured} />
      <h3 className="mt-8 text-[1.15rem]">Few labels</h3>
      <p className="mt-2 text-ink-2">
        Gain over the mean, in points of accuracy and in log loss, over {measured.draws} draws of the labelled records
        (± standard error of the draws).
      </p>
      <GainsTable label="Gain with few labels" gains={measured.withFewLabels} />
      {measured.unequal.length > 0 ? (
        <>
          <h3 className="mt-8 text-[1.15rem]">Unequal classes</h3>
          <p className="mt-2 text-ink-2">
            The same where one digit is a quarter of all records and the others are equally frequent.
          </p>
          <GainsTable label="Gain with unequal classes" gains={measured.unequal} />
        </>
      ) : null}
    </>
  );
}

function ManyLabels({ measured }: { measured: Measured }) {
  return (
    <Table label="Reducers on held-out records" className="mt-4">
      <Head>
        <Th>Task</Th>
        <Th>Reducer</Th>
        <Th numeric>Right</Th>
        <Th numeric>95 % interval</Th>
        <Th numeric>Log loss</Th>
        <Th numeric>Off in certainty</Th>
        <Th numeric>of that chance</Th>
        <Th numeric>Over the mean, points</Th>
      </Head>
      <tbody>
        {measured.withManyLabels.flatMap(({ task, rows }) =>
          rows.map(({ reducer, accuracy, accuracyInterval: [low, high], gain, logLoss, ...certainty }) => (
            <Tr key={`${task} ${reducer}`} className={reducer.startsWith("learned") ? "bg-accent-wash" : ""}>
              <Td className="whitespace-nowrap">{reducer === "mean" ? task : ""}</Td>
              <Td className="whitespace-nowrap">{reducer}</Td>
              <Td numeric>{formatPercent(accuracy, 2)}</Td>
              <Td numeric>
                {(100 * low).toFixed(1)}–{(100 * high).toFixed(1)}
              </Td>
              <Td numeric>{logLoss.toFixed(3)}</Td>
              <Td numeric>{certainty.calibrationError.toFixed(3)}</Td>
              <Td numeric>{certainty.calibrationFloor.toFixed(3)}</Td>
              <Td numeric>
                {reducer === "mean" ? "" : `${signed(100 * gain.mean)} ± ${(196 * gain.error).toFixed(2)}`}
              </Td>
            </Tr>
          )),
        )}
      </tbody>
    </Table>
  );
}

function GainsTable({ label, gains }: { label: string; gains: z.infer<typeof Gains> }) {
  return (
    <Table label={label} className="mt-4">
      <Head>
        <Th>Task</Th>
        <Th>Labels and start</Th>
        <Th numeric>Accuracy, points</Th>
        <Th numeric>Log loss</Th>
      </Head>
      <tbody>
        {gains.flatMap(({ task, rows }) =>
          rows.map(({ name, accuracyGain, logLossGain }, index) => (
            <Tr key={`${task} ${name}`}>
              <Td className="whitespace-nowrap">{index === 0 ? task : ""}</Td>
              <Td>{name}</Td>
              <Td numeric>
                {signed(accuracyGain.mean)} ± {accuracyGain.standardError.toFixed(2)}
              </Td>
              <Td numeric>
                {signed(logLossGain.mean, 3)} ± {logLossGain.standardError.toFixed(3)}
              </Td>
            </Tr>
          )),
        )}
      </tbody>
    </Table>
  );
}

function Code({ children }: { children: string }) {
  return <code className="number text-[0.92rem]">{children}</code>;
}

function signed(value: number, digits = 2): string {
  return `${value >= 0 ? "+" : "−"}${Math.abs(value).toFixed(digits)}`;
}
