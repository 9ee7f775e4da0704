"use client";
/** One donor a page, made after the first paint (it reads storage); null until then. */
import { useEffect, useState, useSyncExternalStore } from "react";
import { createDonor, type Donor, type DonorView, IDLE_VIEW, type LogEntry } from "#worker/host/donor.ts";
import { keptVolunteerKey } from "#worker/host/identity.ts";

export interface UsedDonor {
  readonly donor: Donor | null;
  readonly view: DonorView;
  readonly log: readonly LogEntry[];
}

/** @param groupToken of the private group whose link led here */
export function useDonor(groupToken: string | null): UsedDonor {
  const [donor, setDonor] = useState<Donor | null>(null);
  useEffect(() => {
    const made = createDonor({
      origin: window.location.origin,
      identity: async () => (await keptVolunteerKey())?.sign() ?? null,
      ...(groupToken && { groupToken }),
    });
    setDonor(made);
    return () => made.stop();
  }, [groupToken]);
  const subscribe = donor ? donor.subscribe : subscribeToNothing;
  const view = useSyncExternalStore(subscribe, donor ? donor.view : idleView, idleView);
  const log = useSyncExternalStore(subscribe, donor ? donor.log : emptyLog, emptyLog);
  return { donor, view, log };
}

const EMPTY: readonly LogEntry[] = [];
const subscribeToNothing = () => () => {};
const idleView = (): DonorView => IDLE_VIEW;
const emptyLog = (): readonly LogEntry[] => EMPTY;
