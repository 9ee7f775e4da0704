/** Donors by country, on the world drawn as lanes: where donors are, the lines are full. Works on server and in browser. */
import type { ReactNode } from "react";
import type { DonorsByCountry } from "#lib/protocol/api/donors.ts";
import { countryName, formatCount } from "../../format.ts";
import type { LaneMap } from "./lane-map.ts";

export function WorldLanes({
  map,
  donors,
  children,
}: {
  map: Pick<LaneMap, "width" | "height" | "pitch" | "land" | "countries">;
  donors: DonorsByCountry;
  /** Lies over the map. */
  children?: ReactNode;
}) {
  const most = Math.max(1, ...donors.countries.map(({ donors: count }) => count));
  return (
    <figure>
      <div className="relative">
        <svg
          viewBox={`0 0 ${map.width} ${map.height}`}
          role="img"
          aria-label={inWords(donors)}
          className="block h-auto w-full"
        >
          <path d={map.land} fill="none" stroke="var(--line-strong)" strokeWidth={1} opacity={0.75} />
          {donors.countries.map(({ country, donors: count }) => (
            <path
              key={country}
              d={map.countries[country] ?? ""}
              fill="none"
              stroke="var(--accent)"
              strokeWidth={map.pitch * (0.36 + (0.46 * Math.log1p(count)) / Math.log1p(most))}
            >
              <title>{`${countryName(country)}: ${formatCount(count)} donors`}</title>
            </path>
          ))}
        </svg>
        {children}
      </div>
      <figcaption className="mt-3 flex flex-wrap gap-x-5 gap-y-1 text-[0.92rem] text-ink-2">
        {donors.countries.slice(0, 8).map(({ country, donors: count }) => (
          <span key={country}>
            {countryName(country)} <span className="number text-ink">{formatCount(count)}</span>
          </span>
        ))}
        {donors.elsewhere > 0 ? (
          <span>
            {donors.countries.length === 0 ? "Country unknown or not shown" : "elsewhere"}{" "}
            <span className="number text-ink">{formatCount(donors.elsewhere)}</span>
          </span>
        ) : null}
        {donors.donors === 0 ? <span>No donor is online.</span> : null}
        <span className="text-ink-3">Countries are named from three donors on.</span>
      </figcaption>
    </figure>
  );
}

function inWords({ donors, countries, elsewhere }: DonorsByCountry): string {
  if (donors === 0) return "World map: no donor";
  const named = countries.map(({ country, donors: count }) => `${countryName(country)} ${count}`);
  return `World map of ${donors} donors: ${[...named, ...(elsewhere > 0 ? [`elsewhere ${elsewhere}`] : [])].join(", ")}`;
}
