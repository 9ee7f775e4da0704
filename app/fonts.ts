/** The two families, served from here: a humanist sans, and a mono with tabular figures for every number. */
import localFont from "next/font/local";

export const sourceSans = localFont({
  src: "../node_modules/@fontsource-variable/source-sans-3/files/source-sans-3-latin-wght-normal.woff2",
  weight: "200 900",
  display: "swap",
  variable: "--font-source-sans",
  adjustFontFallback: "Arial",
});

export const plexMono = localFont({
  src: [
    { path: "../node_modules/@fontsource/ibm-plex-mono/files/ibm-plex-mono-latin-400-normal.woff2", weight: "400" },
    { path: "../node_modules/@fontsource/ibm-plex-mono/files/ibm-plex-mono-latin-500-normal.woff2", weight: "500" },
  ],
  display: "swap",
  variable: "--font-plex-mono",
  adjustFontFallback: false,
  fallback: ["ui-monospace", "monospace"],
});
