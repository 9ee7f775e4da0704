"use client";
/** The sections of a part of the site; on a phone they scroll sideways. */
import { usePathname } from "next/navigation";
import { useEffect, useRef } from "react";

export interface Section {
  readonly href: string;
  readonly text: string;
}

/** The first section is only itself; every other one holds the pages below it. */
export function SectionNav({ label, sections }: { label: string; sections: readonly Section[] }) {
  const path = usePathname();
  const nav = useRef<HTMLElement>(null);
  // biome-ignore lint/correctness/useExhaustiveDependencies: another page marks another link
  useEffect(() => {
    const current = nav.current?.querySelector<HTMLElement>("[aria-current]");
    // Only sideways, within the list: the page itself stays where it is.
    if (nav.current && current) {
      nav.current.scrollLeft = current.offsetLeft - (nav.current.clientWidth - current.offsetWidth) / 2;
    }
  }, [path]);
  return (
    <nav ref={nav} aria-label={label} className="relative w-full min-w-0 overflow-x-auto sm:w-auto">
      <ul className="flex gap-1">
        {sections.map(({ href, text }, index) => (
          <li key={href}>
            <a
              href={href}
              aria-current={path === href || (index > 0 && path.startsWith(`${href}/`)) ? "page" : undefined}
              className="block border-b-[3px] border-transparent px-2.5 py-2.5 text-[0.97rem] whitespace-nowrap text-ink-2 hover:text-ink aria-[current]:border-accent aria-[current]:text-ink"
            >
              {text}
            </a>
          </li>
        ))}
      </ul>
    </nav>
  );
}
