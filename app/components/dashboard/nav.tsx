/** The dashboard's sections. */
import { SectionNav } from "../ui/section-nav.tsx";

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
  return <SectionNav label="Dashboard" sections={SECTIONS} />;
}
