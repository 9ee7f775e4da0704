"use client";
import { usePathname } from "next/navigation";

const PAGES = [
  { href: "/operator", text: "Health" },
  { href: "/operator/queue", text: "Queue" },
  { href: "/operator/donors", text: "Donors" },
  { href: "/operator/accounts", text: "Accounts" },
  { href: "/operator/abuse", text: "Abuse" },
  { href: "/operator/audit", text: "Audit log" },
  { href: "/operator/config", text: "Settings" },
  { href: "/operator/backup", text: "Backup" },
];

export function OperatorNav() {
  const path = usePathname();
  return (
    <nav aria-label="Operator" className="min-w-0 overflow-x-auto">
      <ul className="flex gap-1">
        {PAGES.map(({ href, text }) => (
          <li key={href}>
            <a
              href={href}
              aria-current={path === href ? "page" : undefined}
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
