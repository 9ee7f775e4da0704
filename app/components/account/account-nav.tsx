"use client";
import { usePathname } from "next/navigation";

const PAGES = [
  { href: "/dashboard/account", text: "Profile" },
  { href: "/dashboard/account/keys", text: "API keys" },
  { href: "/dashboard/account/webhooks", text: "Webhooks" },
];

export function AccountNav() {
  const path = usePathname();
  return (
    <nav aria-label="Account" className="mb-7 overflow-x-auto">
      <ul className="flex gap-1.5">
        {PAGES.map(({ href, text }) => (
          <li key={href}>
            <a
              href={href}
              aria-current={path === href ? "page" : undefined}
              className="block rounded-md px-3 py-1.5 text-[0.97rem] whitespace-nowrap text-ink-2 hover:bg-sunk hover:text-ink aria-[current]:bg-sunk aria-[current]:text-ink"
            >
              {text}
            </a>
          </li>
        ))}
      </ul>
    </nav>
  );
}
