/**
 * The two families, served from here: a humanist sans, and a mono with tabular figures for every number. Optional: preloaded, they are
 * nearly always there for the first paint; one that comes later waits for the next page instead of moving this one (a late swap
 * shifted the landing page by 0.074 where the system has no Arial to be measured by).
 */
import localFont from "next/font/local";

export const sourceSans = localFont({
  src: "../node_modules/@fontsource-variable/source-sans-3/files/source-sans-3-latin-wght-normal.woff2",
  weight: "200 900",
  display: "optional",
  variable: "--font-source-sans",
  adjustFontFallback: "Arial",
});

export const plexMono = localFont({
  src: [
    { path: "../node_modules/@fontsource/ibm-plex-mono/files/ibm-plex-mono-latin-400-normal.woff2", weight: "400" },
    { path: "../node_modules/@fontsource/ibm-plex-mono/files/ibm-plex-mono-latin-500-normal.woff2", weight: "500" },
  ],
  display: "optional",
  variable: "--font-plex-mono",
  adjustFontFallback: false,
  fallback: ["ui-monospace", "monospace"],
});
