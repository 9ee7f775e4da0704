/** How work is shared out, and how well that goes here and now: this coordinator's own numbers. */
import type { ReactNode } from "react";
import { coordinator } from "#lib/coordinator/registry.ts";
import type { Coverage } from "#lib/protocol/api/fleet.ts";

export const metadata = { title: "How work is shared out" };
/** Live numbers: made anew for every visit. */
export const dynamic = "force-dynamic";

const LOG_SHOWN = 20;

export default function Scheduling() {
  const { fleet, optimizer } = coordinator();
  const report = fleet();
  const { predictions, bundles } = report;
  const log = optimizer.entries().slice(0, LOG_SHOWN);
  return (
    <article className="max-w-3xl">
      <h1 className="text-[2.2rem]">How work is shared out</h1>
      <p className="mt-3 text-[1.12rem] text-ink-2">
        Every donor asks for some seconds of work and gets a bundle that should take at most three on that device.
        Between submitters, whoever was served least goes first; a deadline that is near and can be met goes before.
        Region rules, private groups and memory are never outweighed by anything.
      </p>

      <h2 className="mt-10 text-[1.5rem]">Now</h2>
      <p className="mt-2">
        {count(report.donors_online, "donor")} online, {report.donors_idle} with nothing to do.
      </p>
      <Reasons rows={report.idle_because.map(({ why, donors }) => [count(donors, "donor"), why])} />
      <Reasons rows={report.jobs.map(({ example, jobs }) => [count(jobs, "job"), example])} />

      <h2 className="mt-10 text-[1.5rem]">How honest the predictions are</h2>
      <p className="mt-2 text-ink-2">
        With every lease the coordinator keeps an interval in which the microtask’s duration should fall four times out
        of five, and moves it until that is so. Counted since the last start:
      </p>
      <Table label="Predictions by class of device" head={["Class of device", "Microtasks", "Inside", "At most p90"]}>
        <CoverageRow name="all" own={predictions} />
        {predictions.classes.map(({ device_class, ...own }) => (
          <CoverageRow key={device_class} name={device_class} own={own} />
        ))}
      </Table>
      <p className="mt-4">
        {bundles.finished === 0
          ? "No bundle has been finished since the start."
          : `${bundles.in_time.toLocaleString("en")} of ${bundles.finished.toLocaleString("en")} bundles took at most three seconds (${percent(bundles.in_time / bundles.finished)}).`}
      </p>

      <h2 className="mt-10 text-[1.5rem]">What the optimizer changed</h2>
      {log.length === 0 ? (
        <p className="mt-2 text-ink-2">
          Nothing yet. Twice a minute it looks at what donors showed, and says here what it changed and what that
          gained.
        </p>
      ) : (
        <ol className="mt-3 grid gap-3">
          {log.map(({ atMs, words }) => (
            <li key={`${atMs} ${words}`} className="border-l-2 border-line-strong pl-4">
              <time dateTime={new Date(atMs).toISOString()} className="number text-[0.85rem] text-ink-3">
                {new Date(atMs).toISOString().slice(0, 16).replace("T", " ")} UTC
              </time>
              <p>{words}</p>
            </li>
          ))}
        </ol>
      )}
      <p className="mt-8 text-ink-2">
        The same as JSON:{" "}
        <a className="link" href="/api/v1/fleet">
          /api/v1/fleet
        </a>{" "}
        and{" "}
        <a className="link" href="/api/v1/optimizer/log">
          /api/v1/optimizer/log
        </a>
        .
      </p>
    </article>
  );
}

function Reasons({ rows }: { rows: readonly (readonly [string, string])[] }) {
  if (rows.length === 0) return null;
  return (
    <ul className="mt-3 grid gap-2">
      {rows.map(([who, why]) => (
        <li key={why} className="border-l-2 border-line-strong pl-4">
          <span className="font-[560]">{who}:</span> {why}
        </li>
      ))}
    </ul>
  );
}

function Table({ label, head, children }: { label: string; head: readonly string[]; children: ReactNode }) {
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: a region that scrolls must be reachable with the keyboard
    <section aria-label={label} tabIndex={0} className="mt-4 overflow-x-auto">
      <table className="w-full text-left">
        <thead>
          <tr className="border-b border-line-strong text-[0.92rem] text-ink-3">
            {head.map((text) => (
              <th key={text} scope="col" className="py-2 pr-4 font-[500]">
                {text}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>{children}</tbody>
      </table>
    </section>
  );
}

function CoverageRow({ name, own }: { name: string; own: Coverage }) {
  const share = (value: number) => (own.observations === 0 ? "–" : percent(value));
  return (
    <tr className="border-b border-line">
      <th scope="row" className="py-2.5 pr-4 font-[400]">
        {name}
      </th>
      <td className="number py-2.5 pr-4">{own.observations.toLocaleString("en")}</td>
      <td className="number py-2.5 pr-4">{share(own.within_80)}</td>
      <td className="number py-2.5 pr-4">{share(own.below_p90)}</td>
    </tr>
  );
}

const percent = (share: number) => `${(100 * share).toFixed(1)} %`;
const count = (n: number, noun: string) => `${n.toLocaleString("en")} ${noun}${n === 1 ? "" : "s"}`;
