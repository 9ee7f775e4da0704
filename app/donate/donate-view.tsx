"use client";
/** The donate page: one click to start, one to pause, one to stop, and an honest picture of what happens in between. */
import { DonorsSummary } from "#lib/protocol/api/donors.ts";
import { DEFAULT_SETTINGS } from "#worker/host/keeping.ts";
import { canTellIdle } from "#worker/host/signals.ts";
import { canKeepAwake } from "#worker/host/wake-lock.ts";
import { statusOf } from "#worker/host/words.ts";
import type { LaneMap } from "../components/map/lane-map.ts";
import { WorldLanes } from "../components/map/world-lanes.tsx";
import { Button } from "../components/ui/button.tsx";
import { usePolled } from "../components/use-polled.ts";
import { formatCount } from "../format.ts";
import { BenchmarkCard } from "./benchmark-card.tsx";
import { Controls } from "./controls.tsx";
import { DeviceCard } from "./device-card.tsx";
import { Effort } from "./effort.tsx";
import { ThisJob, WorkDone } from "./facts.tsx";
import { Flights } from "./flights.tsx";
import { GroupBanner, type JoinedGroup } from "./group-banner.tsx";
import { Log } from "./log.tsx";
import { ShareCard } from "./share-card.tsx";
import { SignalsPanel } from "./signals-panel.tsx";
import { TabLanes } from "./tab-lanes.tsx";
import { type UsedDonor, useDonor } from "./use-donor.ts";
import { Volunteer } from "./volunteer.tsx";
import { WeekBoard } from "./week-board.tsx";
import { When } from "./when.tsx";

export interface DonateViewProps {
  readonly donors: DonorsSummary;
  readonly map: LaneMap;
  /** The private group whose link led here. */
  readonly group: JoinedGroup | null;
  /** Of the team whose link led here. */
  readonly teamToken: string | null;
}

const SUMMARY_EVERY_MS = 5_000;

export function DonateView({ donors, map, group, teamToken }: DonateViewProps) {
  const { donor, view, log } = useDonor(group?.invite ? group.token : null);
  const { value: summary } = usePolled("/api/v1/donors/summary", DonorsSummary, donors, SUMMARY_EVERY_MS);
  // Drawn before the donor has read what is kept, so that nothing moves when it has.
  const settings = donor?.settings() ?? DEFAULT_SETTINGS;
  const gpu = view.capability?.runtimes.filter(({ runtime }) => runtime.endsWith("webgpu"));
  return (
    <div className="mx-auto max-w-6xl px-4 py-8 sm:px-6 sm:py-12">
      <div className="grid gap-8 lg:grid-cols-[1.65fr_1fr]">
        <section aria-label="Donating">
          <h1 className="text-[2rem] sm:text-[2.6rem]">Lend this browser</h1>
          <p className="mt-3 max-w-[38rem] text-[1.08rem] text-ink-2">
            This tab computes small pieces of machine-learning jobs. Encrypted jobs stay unreadable to it. Nothing is
            loaded before you start, and closing the tab ends it.
          </p>
          {group ? (
            <div className="mt-5">
              <GroupBanner group={group} />
            </div>
          ) : null}
          <div className="mt-6 flex flex-wrap gap-3">
            <Buttons donor={donor} view={view} />
          </div>
          <p role="status" aria-live="polite" className="mt-4 min-h-[3.2rem] text-[1.02rem]">
            {statusOf(view)}
          </p>
          {view.problem ? (
            <p className="mt-1 border-l-2 border-bad pl-3 text-[0.95rem] text-bad [overflow-wrap:anywhere]">
              {view.problem.detail}
            </p>
          ) : null}
          <TabLanes view={view} className="mt-4 h-[15rem] w-full sm:h-[20rem]" />
          <Legend />
          <div className="mt-6 border-t border-line pt-5">
            <WorkDone view={view} />
            <Effort view={view} />
            <ShareCard view={view} />
          </div>
          <SignalsPanel view={view} settings={settings} className="mt-8" />
          <Log log={log} />
          <section aria-labelledby="world" className="mt-8 border-t border-line pt-5">
            <h2 id="world" className="mb-3 text-[1.15rem]">
              Donors online
            </h2>
            <WorldLanes map={map} donors={summary.online}>
              <Flights map={map} recent={summary.recent} />
            </WorldLanes>
            <p className="mt-1 text-[0.92rem] text-ink-2">
              <span className="number text-ink">{formatCount(summary.recent.microtasks)}</span> microtasks verified in
              the last {summary.recent.seconds} seconds.
            </p>
          </section>
        </section>
        <div className="grid content-start gap-5">
          <ThisJob view={view} useRegion={settings.useRegion} />
          <Controls
            settings={settings}
            gpuUsable={gpu ? gpu.some(({ selfTestPassed }) => selfTestPassed) : null}
            onChange={(change) => donor?.change(change)}
          />
          <When
            settings={settings}
            able={donor && { tellIdle: canTellIdle(window), keepAwake: canKeepAwake(window) }}
            onChange={(change) => donor?.change(change)}
          />
          <DeviceCard view={view} />
          <BenchmarkCard view={view} />
          <Volunteer teamToken={teamToken} />
          <WeekBoard />
        </div>
      </div>
    </div>
  );
}

/** Disabled until the page is alive: a press before that would be lost. */
function Buttons({ donor, view }: Pick<UsedDonor, "donor" | "view">) {
  if (view.phase === "idle") {
    return (
      <Button disabled={!donor} onClick={() => donor?.start()}>
        Start donating
      </Button>
    );
  }
  const byVisitor = view.phase === "paused" && view.pausedBecause === "visitor";
  const ending = view.phase === "finishing" || view.phase === "stopping";
  return (
    <>
      {byVisitor ? (
        <Button onClick={() => donor?.resume()}>Resume</Button>
      ) : (
        <Button kind="quiet" disabled={ending} onClick={() => donor?.pause()}>
          Pause
        </Button>
      )}
      <Button kind="quiet" disabled={ending || !view.working} onClick={() => donor?.finish()}>
        Finish this one, then stop
      </Button>
      <Button kind="quiet" disabled={view.phase === "stopping"} onClick={() => donor?.stop()}>
        Stop now
      </Button>
    </>
  );
}

function Legend() {
  const entries = [
    { colour: "bg-accent", text: "computing or sending" },
    { colour: "bg-good", text: "verified" },
    { colour: "bg-bad", text: "refused" },
  ];
  return (
    <ul className="mt-3 flex flex-wrap gap-x-5 gap-y-1 text-[0.88rem] text-ink-3">
      <li>One line is one microtask:</li>
      {entries.map(({ colour, text }) => (
        <li key={text} className="flex items-center gap-2">
          <span aria-hidden="true" className={`inline-block h-[3px] w-6 ${colour}`} />
          {text}
        </li>
      ))}
    </ul>
  );
}
