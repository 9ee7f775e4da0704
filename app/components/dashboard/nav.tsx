"use client";
/** The dashboard's sections; on a phone they scroll sideways. */
import { usePathname } from "next/navigation";

const SECTIONS = [
  { href: "/dashboard", text: "Overview" },
  { href: "/dashboard/jobs", text: "Jobs" },
  { href: "/dashboard/models", text: "Models" },
  { href: "/dashboard/data", text: "Data" },
  { href: "/dashboard/sites", text: "Sites" },
  { href: "/dashboard/groups", text: "Groups" },
  { href: "/dashboard/account", text: "Account" },
];

export function DashboardNav() {
  const path = usePathname();
  return (
    <nav aria-label="Dashboard" className="min-w-0 overflow-x-auto">
      <ul className="flex gap-1">
        {SECTIONS.map(({ href, text }) => (
          <li key={href}>
            <a
              href={href}
              aria-current={isIn(path, href) ? "page" : undefined}
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

/** The overview is only itself; every other section holds the pages below it. */
function isIn(path: string, href: string): boolean {
  return href === "/dashboard" ? path === href : path === href || path.startsWith(`${href}/`);
}
