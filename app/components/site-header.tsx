import { Logo } from "./logo.tsx";
import { ThemeToggle } from "./theme-toggle.tsx";

/** Plain links: /donate is cross-origin isolated, and only a full navigation makes a document isolated. */
const LINKS = [
  { href: "/how-it-works", text: "How it works", wideOnly: true },
  { href: "/dashboard", text: "Dashboard" },
  { href: "/donate", text: "Donate" },
  { href: "/docs", text: "Docs" },
];

export function SiteHeader() {
  return (
    <header className="border-b border-line">
      <div className="mx-auto flex h-16 max-w-6xl items-center justify-between gap-2 px-4 sm:gap-4 sm:px-6">
        <a href="/" aria-label="Flux, home" className="rounded-sm">
          <Logo />
        </a>
        <div className="flex items-center gap-1 sm:gap-2">
          <nav aria-label="Main" className="flex">
            {LINKS.map(({ href, text, wideOnly = false }) => (
              <a
                key={href}
                href={href}
                className={`rounded-md px-1.5 py-2 text-[0.95rem] text-ink-2 hover:bg-sunk hover:text-ink sm:px-3 ${wideOnly ? "hidden sm:block" : ""}`}
              >
                {text}
              </a>
            ))}
          </nav>
          <ThemeToggle />
        </div>
      </div>
    </header>
  );
}
