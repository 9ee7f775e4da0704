"use client";
/** What this device cannot do, what that means for donating, and why. Nothing where nothing is missing. */
import { useEffect, useState } from "react";
import { type Device, deviceWords, readDevice } from "#worker/host/device-words.ts";
import type { DonorView } from "#worker/host/donor.ts";
import { Card } from "../components/ui/card.tsx";

export function DeviceCard({ view }: { view: DonorView }) {
  const [here, setHere] = useState<Device | null>(null);
  useEffect(() => setHere(readDevice()), []);
  const visible = view.signals?.visible ?? true;
  const words = here ? deviceWords({ ...here, visible, capability: view.capability }) : [];
  if (words.length === 0) return null;
  return (
    <Card className="p-5">
      <h2 className="text-[1.15rem]">What this device does without</h2>
      <dl className="mt-3 grid gap-3 text-[0.95rem]">
        {words.map(({ name, meaning, why }) => (
          <div key={name}>
            <dt className="font-[560]">{name}</dt>
            <dd className="text-ink-2">{meaning}</dd>
            <dd className="text-[0.88rem] text-ink-3">{why}</dd>
          </div>
        ))}
      </dl>
    </Card>
  );
}
