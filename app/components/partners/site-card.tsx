/** One partner's site: what its visitors gave, where they are, and its script tag. */
import type { SiteResource } from "#lib/protocol/api/partners.ts";
import { countryName, formatCount, formatDuration, formatTime } from "../../format.ts";
import { Badge } from "../ui/badge.tsx";
import { CodeBlock } from "../ui/code.tsx";
import { Stat } from "../ui/stat.tsx";
import { ActButton } from "./act-button.tsx";
import { scriptTag } from "./script-tag.ts";

export function SiteCard({ site, host }: { site: SiteResource; host: string }) {
  const { counts, revoked_at: revokedAt } = site;
  return (
    <li className="rounded-lg border border-line bg-raised p-4 sm:p-5">
      <div className="flex flex-wrap items-baseline justify-between gap-x-6 gap-y-1">
        <h2 className="text-[1.2rem] [overflow-wrap:anywhere]">{site.name}</h2>
        {revokedAt ? <Badge tone="bad">revoked {formatTime(revokedAt)}</Badge> : <Badge tone="good">in use</Badge>}
      </div>
      <p className="number mt-1 text-[0.88rem] text-ink-2 [overflow-wrap:anywhere]">{site.origins.join("  ")}</p>
      <dl className="mt-5 grid grid-cols-2 gap-x-6 gap-y-4 sm:grid-cols-4">
        <Stat name="Visitors who said yes">{formatCount(counts.visitors)}</Stat>
        <Stat name="Donating now">{formatCount(counts.donating_now)}</Stat>
        <Stat name="Verified microtasks">{formatCount(counts.microtasks)}</Stat>
        <Stat name="Computed">{formatDuration(counts.compute_seconds)}</Stat>
      </dl>
      <Countries site={site} />
      {revokedAt ? null : (
        <>
          <p className="mt-5 mb-1.5 text-[0.95rem] font-[560]">In its pages</p>
          <CodeBlock text={scriptTag({ host, path: "/embed/v1.js", key: site.key })} label="Copy the script tag" />
          {site.previous_key_until ? (
            <p className="mt-2 text-[0.93rem] text-wait">
              The key before this one works until {formatTime(site.previous_key_until)}.
            </p>
          ) : null}
          <div className="mt-4 flex flex-wrap gap-2.5">
            <ActButton
              path={`/api/v1/sites/${site.id}/rotate`}
              text="Rotate key"
              done="The site has a new key"
              question={{
                title: "Give this site a new key?",
                description:
                  "The present key works for 24 hours more. Put the new script tag into your pages until then.",
                act: "Rotate it",
              }}
            />
            <ActButton
              path={`/api/v1/sites/${site.id}/revoke`}
              text="Revoke"
              kind="danger"
              done="The site is revoked"
              question={{
                title: `Revoke ${site.name}?`,
                description: "Its keys stop at once, and whoever donates on its pages now is disconnected. This stays.",
                act: "Revoke it",
              }}
            />
          </div>
        </>
      )}
    </li>
  );
}

function Countries({ site }: { site: SiteResource }) {
  const named = site.countries.reduce((sum, { visitors }) => sum + visitors, 0);
  const others = site.counts.visitors - named;
  if (site.counts.visitors === 0) return null;
  return (
    <div className="mt-5">
      <p className="text-[0.95rem] font-[560]">By country</p>
      <ul className="mt-1.5 flex flex-wrap gap-x-6 gap-y-1 text-[0.95rem] text-ink-2">
        {site.countries.map(({ country, visitors, microtasks }) => (
          <li key={country}>
            {countryName(country)} <span className="number text-ink">{formatCount(visitors)}</span> visitors,{" "}
            <span className="number text-ink">{formatCount(microtasks)}</span> microtasks
          </li>
        ))}
        {others > 0 ? (
          <li>
            {site.countries.length === 0 ? "Not named" : "Others"}{" "}
            <span className="number text-ink">{formatCount(others)}</span> visitors
          </li>
        ) : null}
      </ul>
      <p className="mt-1 text-[0.9rem] text-ink-3">A country is named from three visitors on.</p>
    </div>
  );
}
