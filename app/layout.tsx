/** The frame of every page: fonts, theme, header, footer. */
import type { Metadata, Viewport } from "next";
import { headers } from "next/headers";
import type { ReactNode } from "react";
import { SiteFooter } from "./components/site-footer.tsx";
import { SiteHeader } from "./components/site-header.tsx";
import { THEME_SCRIPT } from "./components/theme-script.ts";
import { Toasts } from "./components/ui/toast.tsx";
import { plexMono, sourceSans } from "./fonts.ts";
import "./globals.css";

export const metadata: Metadata = {
  title: { default: "Flux: machine learning on lent browsers, on data they cannot read", template: "%s · Flux" },
  description:
    "Flux spreads machine-learning inference over volunteers' browsers. They compute on encrypted data, every result is checked, and a learned model combines the answers.",
};

export const viewport: Viewport = {
  themeColor: [
    { media: "(prefers-color-scheme: light)", color: "#f7f4ed" },
    { media: "(prefers-color-scheme: dark)", color: "#121316" },
  ],
};

export default async function RootLayout({ children }: { children: ReactNode }) {
  // Reading the nonce also keeps every page rendered per request, which a nonce needs.
  const nonce = (await headers()).get("x-nonce") ?? undefined;
  return (
    <html lang="en" className={`${sourceSans.variable} ${plexMono.variable}`} suppressHydrationWarning>
      <body>
        {/* Before the first paint, so that the page never flashes in the wrong theme. */}
        {/* biome-ignore lint/security/noDangerouslySetInnerHtml: a constant of ours, allowed by the request's nonce */}
        <script nonce={nonce} suppressHydrationWarning dangerouslySetInnerHTML={{ __html: THEME_SCRIPT }} />
        <a
          href="#main"
          className="sr-only focus:not-sr-only focus:absolute focus:z-50 focus:bg-accent focus:px-3 focus:py-2 focus:text-on-accent"
        >
          Skip to the content
        </a>
        <SiteHeader />
        <main id="main" className="flex-1">
          {children}
        </main>
        <SiteFooter />
        <Toasts />
      </body>
    </html>
  );
}
