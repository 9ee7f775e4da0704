/** The operator's pages. */
import { SectionNav } from "../ui/section-nav.tsx";

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
  return <SectionNav label="Operator" sections={PAGES} />;
}
