import type { Metadata } from "next";
import { DonateView } from "./donate-view.tsx";

export const metadata: Metadata = {
  title: "Lend this browser",
  description: "Let this tab compute for machine learning: one click to start, one to stop, on data it cannot read.",
};

export default function DonatePage() {
  return <DonateView />;
}
