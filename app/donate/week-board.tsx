"use client";
/** This week's verified microtasks: by people who gave a name, and by teams. */
import { Leaderboard } from "#lib/protocol/api/volunteers.ts";
import { Card } from "../components/ui/card.tsx";
import { usePolled } from "../components/use-polled.ts";
import { formatCount } from "./format.ts";

const EVERY_MS = 15_000;
const SHOWN = 5;
const NOBODY: Leaderboard = { week: "0000-W00", volunteers: [], teams: [] };

export function WeekBoard() {
  const { value } = usePolled("/api/v1/leaderboard", Leaderboard, NOBODY, EVERY_MS);
  return (
    <Card className="p-5">
      <h2 className="text-[1.15rem]">This week</h2>
      {value.volunteers.length + value.teams.length === 0 ? (
        <p className="mt-2 text-[0.95rem] text-ink-2">Nobody with a name has a verified microtask this week yet.</p>
      ) : (
        <>
          <Lines title="People" lines={value.volunteers} />
          <Lines title="Teams" lines={value.teams} />
        </>
      )}
    </Card>
  );
}

function Lines({ title, lines }: { title: string; lines: readonly { name: string; microtasks: number }[] }) {
  if (lines.length === 0) return null;
  return (
    <>
      <h3 className="mt-3 text-[0.95rem] text-ink-2">{title}</h3>
      <ol className="mt-1 grid gap-1 text-[0.95rem]">
        {lines.slice(0, SHOWN).map(({ name, microtasks }, place) => (
          // biome-ignore lint/suspicious/noArrayIndexKey: a line is its place
          <li key={place} className="flex justify-between gap-4">
            <span className="[overflow-wrap:anywhere]">{name}</span>
            <span className="number">{formatCount(microtasks)}</span>
          </li>
        ))}
      </ol>
    </>
  );
}
