"use client";
/** Records beside their answers, page by page: pictures where records are pictures; a right answer is one click. */
import { ChevronLeft, ChevronRight } from "lucide-react";
import { useEffect, useState } from "react";
import type { AnsweredRecord } from "#lib/protocol/api/job-records.ts";
import { formatCount } from "../../format.ts";
import { problemText } from "../api.ts";
import { pictureSides, RecordPicture } from "../new-job/record-picture.tsx";
import { Button } from "../ui/button.tsx";
import { Notice } from "../ui/notice.tsx";
import { Skeleton } from "../ui/skeleton.tsx";
import { Head, Table, Td, Th, Tr } from "../ui/table.tsx";
import { type Answer, answerOf, className } from "./answers.ts";

/** Where records come from: the server, or this browser in the submitter's custody. */
export interface RecordSource {
  readonly records: number;
  readonly read: (start: number, limit: number, signal: AbortSignal) => Promise<RecordPage>;
}

export interface RecordPage {
  readonly classes: readonly string[] | null;
  readonly data: readonly AnsweredRecord[];
}

export interface PendingLabel {
  readonly recordId: string;
  readonly index: number;
  /** As the API takes it: the class's name, or its position. */
  readonly label: string | number;
}

export interface Labelling {
  /** By record number: what was clicked and not sent yet. */
  readonly pending: ReadonlyMap<number, PendingLabel>;
  /** @param label the class's position; null takes it back */
  readonly set: (record: AnsweredRecord, classes: readonly string[] | null, label: number | null) => void;
}

const PAGE = 24;
/** Feature columns of a table. */
const COLUMNS = 6;

export function Records({ source, labelling }: { source: RecordSource; labelling: Labelling | null }) {
  const [start, setStart] = useState(0);
  const [page, setPage] = useState<RecordPage | null>(null);
  const [problem, setProblem] = useState<string | null>(null);
  useEffect(() => {
    const gone = new AbortController();
    source
      .read(start, PAGE, gone.signal)
      .then((read) => {
        setPage(read);
        setProblem(null);
      })
      .catch((error: unknown) => {
        if (!gone.signal.aborted) setProblem(problemText(error));
      });
    return () => gone.abort();
  }, [source, start]);

  if (problem)
    return (
      <Notice tone="bad" title="The records could not be read">
        {problem}
      </Notice>
    );
  if (!page) return <Skeleton label="Reading the records" className="h-96" />;
  const pictures = page.data.some(({ arrays }) => arrays[0] && pictureSides(arrays[0]));
  const last = Math.min(source.records, start + PAGE);
  return (
    <div>
      {pictures ? <Gallery page={page} labelling={labelling} /> : <RecordTable page={page} labelling={labelling} />}
      {source.records > PAGE ? (
        <div className="mt-4 flex items-center justify-between gap-4">
          <p className="number text-[0.92rem] text-ink-3" aria-live="polite">
            {formatCount(start)}–{formatCount(last - 1)} of {formatCount(source.records)}
          </p>
          <div className="flex gap-2">
            <Button
              kind="quiet"
              size="small"
              disabled={start === 0}
              onClick={() => setStart(Math.max(0, start - PAGE))}
            >
              <ChevronLeft aria-hidden="true" className="size-4" /> Before
            </Button>
            <Button kind="quiet" size="small" disabled={last === source.records} onClick={() => setStart(start + PAGE)}>
              Next <ChevronRight aria-hidden="true" className="size-4" />
            </Button>
          </div>
        </div>
      ) : null}
    </div>
  );
}

interface Shown {
  readonly page: RecordPage;
  readonly labelling: Labelling | null;
}

function Gallery({ page, labelling }: Shown) {
  return (
    <ul
      aria-label="Records and answers"
      className="grid grid-cols-[repeat(auto-fill,minmax(6.2rem,1fr))] gap-x-4 gap-y-5"
    >
      {page.data.map((record) => (
        <li key={record.record} className="min-w-0">
          <Picture record={record} />
          <AnswerLine record={record} classes={page.classes} labelling={labelling} />
        </li>
      ))}
    </ul>
  );
}

function Picture({ record }: { record: AnsweredRecord }) {
  const array = record.arrays[0];
  const sides = array ? pictureSides(array) : null;
  if (!array || !sides) return <p className="number truncate rounded-sm bg-sunk px-2 py-1">{record.id}</p>;
  return (
    <RecordPicture sides={sides} values={array.values} label={`Record ${record.id}`} className="aspect-square w-full" />
  );
}

function RecordTable({ page, labelling }: Shown) {
  const values = (record: AnsweredRecord) => record.arrays.flatMap((array) => array.values).slice(0, COLUMNS);
  const columns = page.data[0] ? values(page.data[0]).length : 0;
  const labelled = page.data.some(({ label }) => label !== null);
  return (
    <Table label="Records and answers">
      <Head>
        <Th>Record</Th>
        {columns > 0 ? <Th className="w-full">First values</Th> : null}
        {labelled ? <Th>Label</Th> : null}
        <Th>Answer</Th>
      </Head>
      <tbody>
        {page.data.map((record) => (
          <Tr key={record.record}>
            <Td className="number">{record.id}</Td>
            {columns > 0 ? (
              <Td className="number max-w-0 truncate text-[0.85rem] text-ink-3">
                {values(record)
                  .map((value) => (value === null ? "–" : String(Number(value.toPrecision(4)))))
                  .join("  ")}
              </Td>
            ) : null}
            {labelled ? <Td className="number">{record.label}</Td> : null}
            <Td className="min-w-36">
              <AnswerLine record={record} classes={page.classes} labelling={labelling} bare />
            </Td>
          </Tr>
        ))}
      </tbody>
    </Table>
  );
}

interface AnswerProps {
  readonly record: AnsweredRecord;
  readonly classes: readonly string[] | null;
  readonly labelling: Labelling | null;
  /** The label has its own column. */
  readonly bare?: boolean;
}

function AnswerLine({ record, classes, labelling, bare = false }: AnswerProps) {
  const answer = answerOf(record.outputs[0]);
  if (!answer) return <p className="text-[0.92rem] text-ink-3">no result</p>;
  if (answer.kind === "value") return <p className="number text-[0.95rem]">{Number(answer.value.toPrecision(5))}</p>;
  const said = className(classes, answer.best);
  const wrong = record.label !== null && String(record.label) !== said;
  return (
    <div className={bare ? "" : "mt-1.5"}>
      <p className="flex items-baseline justify-between gap-2 text-[0.95rem]">
        <span className="number truncate font-[500]">{said}</span>
        <span className="number text-[0.82rem] text-ink-3">{Math.floor(100 * answer.certainty)} %</span>
      </p>
      <Certainty answer={answer} />
      {!bare && record.label !== null ? (
        <p className={`mt-0.5 text-[0.85rem] ${wrong ? "text-bad" : "text-ink-3"}`}>
          {wrong ? `label ${record.label}` : "as labelled"}
        </p>
      ) : null}
      {labelling ? <RightAnswer record={record} answer={answer} classes={classes} labelling={labelling} /> : null}
    </div>
  );
}

/** One short lane a class. */
function Certainty({ answer }: { answer: Extract<Answer, { kind: "class" }> }) {
  if (answer.scores.length > 24) return null;
  const width = 100 / answer.scores.length;
  return (
    <svg viewBox="0 0 100 8" preserveAspectRatio="none" aria-hidden="true" className="mt-0.5 h-2 w-full">
      {answer.scores.map((score, index) => (
        <g
          // biome-ignore lint/suspicious/noArrayIndexKey: a class is its place
          key={index}
        >
          <rect x={index * width + width * 0.15} width={width * 0.7} y="7" height="1" fill="var(--line-strong)" />
          <rect
            x={index * width + width * 0.15}
            width={width * 0.7}
            y={8 - 8 * score}
            height={8 * score}
            fill={index === answer.best ? "var(--accent)" : "var(--ink-3)"}
          />
        </g>
      ))}
    </svg>
  );
}

/** The answer confirmed or put right: a label for the meta-model. */
function RightAnswer({
  record,
  answer,
  classes,
  labelling,
}: Omit<AnswerProps, "bare" | "labelling"> & {
  readonly labelling: Labelling;
  readonly answer: Extract<Answer, { kind: "class" }>;
}) {
  const chosen = labelling.pending.get(record.record)?.index;
  return (
    <select
      aria-label={`Right answer of record ${record.id}`}
      value={chosen ?? ""}
      onChange={(event) =>
        labelling.set(record, classes, event.target.value === "" ? null : Number(event.target.value))
      }
      className={`mt-1.5 min-h-8 w-full rounded-sm border bg-paper px-1.5 text-[0.88rem] ${
        chosen === undefined ? "border-line text-ink-3" : "border-accent text-ink"
      }`}
    >
      <option value="">Right answer…</option>
      {answer.scores.map((_, index) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: a class is its place
        <option key={index} value={index}>
          {className(classes, index)}
          {index === answer.best ? " (as said)" : ""}
        </option>
      ))}
    </select>
  );
}
