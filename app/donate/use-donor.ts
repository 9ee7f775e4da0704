"use client";
/** One donor a page, made after the first paint (it reads storage); null until then. */
import { useEffect, useState, useSyncExternalStore } from "react";
import { createDonor, type Donor, type DonorView, IDLE_VIEW } from "#worker/host/donor.ts";

export function useDonor(): { donor: Donor | null; view: DonorView } {
  const [donor, setDonor] = useState<Donor | null>(null);
  useEffect(() => {
    const made = createDonor({ origin: window.location.origin });
    setDonor(made);
    return () => made.stop();
  }, []);
  const view = useSyncExternalStore(
    donor ? donor.subscribe : subscribeToNothing,
    donor ? donor.view : idleView,
    idleView,
  );
  return { donor, view };
}

const subscribeToNothing = () => () => {};
const idleView = (): DonorView => IDLE_VIEW;
