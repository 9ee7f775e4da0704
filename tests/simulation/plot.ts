/** A dot plot as SVG: per scenario and policy the median makespan ÷ lower bound, with the range over the seeds as a line. */
import type { PolicyName } from "./run.ts";

export interface PlotRow {
  readonly scenario: string;
  readonly policy: PolicyName;
  readonly min: number;
  readonly median: number;
  readonly max: number;
}

/** Shapes and lightness tell the policies apart without colour. */
const MARKS: Readonly<Record<PolicyName, { label: string; colour: string; mark: (x: number, y: number) => string }>> = {
  flux: { label: "Flux", colour: "#1f5fff", mark: (x, y) => `<circle cx="${x}" cy="${y}" r="5.5"/>` },
  sized: {
    label: "first in, first out, bundles cut by the cost model",
    colour: "#7a6a00",
    mark: (x, y) => `<rect x="${x - 5}" y="${y - 5}" width="10" height="10"/>`,
  },
  fifo: {
    label: "first in, first out",
    colour: "#9a3b26",
    mark: (x, y) => `<path d="M${x} ${y - 6}l6 11h-12z"/>`,
  },
  random: {
    label: "random",
    colour: "#6b6b6b",
    mark: (x, y) => `<path d="M${x - 5} ${y - 5}l10 10m0 -10l-10 10" fill="none" stroke-width="2.5"/>`,
  },
};

const WIDTH = 860;
const LEFT = 150;
const RIGHT = 30;
const ROW = 20;
const GAP = 26;
const TOP = 70;

export function dotPlot(rows: readonly PlotRow[], title: string): string {
  const scenarios = [...new Set(rows.map((row) => row.scenario))];
  const policies = [...new Set(rows.map((row) => row.policy))];
  const most = Math.max(2, ...rows.map((row) => row.max));
  // Logarithmic: half and double look alike.
  const x = (ratio: number) => round(LEFT + ((WIDTH - LEFT - RIGHT) * Math.log(ratio)) / Math.log(most * 1.05));
  const height = TOP + scenarios.length * (policies.length * ROW + GAP) + 40;
  const parts: string[] = [];
  for (const tick of [1, 1.1, 1.25, 1.5, 2, 3, 4, 5, 6].filter((value) => value <= most * 1.05)) {
    parts.push(
      `<path d="M${x(tick)} ${TOP - 12}V${height - 34}" stroke="#000" stroke-opacity="${tick === 1 ? 0.6 : 0.12}"/>`,
      `<text x="${x(tick)}" y="${height - 16}" text-anchor="middle">${tick}×</text>`,
    );
  }
  scenarios.forEach((scenario, s) => {
    const top = TOP + s * (policies.length * ROW + GAP);
    parts.push(`<text x="12" y="${top + ROW}" font-weight="600">${scenario}</text>`);
    policies.forEach((policy, p) => {
      const row = rows.find((candidate) => candidate.scenario === scenario && candidate.policy === policy);
      if (!row) return;
      const y = top + p * ROW + 8;
      const { colour, mark } = MARKS[policy];
      const range = `<path d="M${x(row.min)} ${y}H${x(row.max)}" stroke-width="2" stroke-opacity="0.5"/>`;
      parts.push(`<g stroke="${colour}" fill="${colour}">${range}${mark(x(row.median), y)}</g>`);
    });
  });
  let at = 12;
  const legend = policies.map((policy) => {
    const { label, colour, mark } = MARKS[policy];
    const item = `<g stroke="${colour}" fill="${colour}">${mark(at + 6, 40)}</g><text x="${at + 18}" y="44">${label}</text>`;
    at += 36 + label.length * 6.6;
    return item;
  });
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" role="img" aria-label="${title}" font-family="system-ui, sans-serif" font-size="13">`,
    `<rect width="${WIDTH}" height="${height}" fill="#fff"/>`,
    `<text x="12" y="20" font-size="15" font-weight="600">${title}</text>`,
    ...legend,
    ...parts,
    "</svg>",
    "",
  ].join("\n");
}

const round = (value: number) => Math.round(value * 10) / 10;
