import type { ReactNode } from "react";

const PAGES = [
  { href: "/docs", text: "API" },
  { href: "/docs/formats", text: "Models and data" },
  { href: "/docs/privacy", text: "Who sees what" },
  { href: "/docs/scheduling", text: "How work is shared out" },
  { href: "/docs/embed", text: "Widget" },
  { href: "/docs/aggregation", text: "Combining answers" },
  { href: "/docs/errors", text: "Errors" },
];

export default function DocsLayout({ children }: { children: ReactNode }) {
  return (
    <div className="mx-auto max-w-6xl px-4 pt-6 sm:px-6">
      <nav aria-label="Docs" className="mb-8 flex flex-wrap gap-x-5 text-[0.95rem]">
        {PAGES.map(({ href, text }) => (
          <a key={href} href={href} className="py-2 text-ink-2 hover:text-ink hover:underline">
            {text}
          </a>
        ))}
      </nav>
      {children}
    </div>
  );
}
