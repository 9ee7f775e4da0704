"use client";
/** Shares what this tab did: over the system's own sheet where there is one for pictures, as a download elsewhere. */
import { useState } from "react";
import type { DonorView } from "#worker/host/donor.ts";
import { Button } from "../components/ui/button.tsx";
import { formatCount } from "./format.ts";
import { type ShareFacts, sharePicture } from "./share-picture.ts";

export function ShareCard({ view }: { view: DonorView }) {
  const [problem, setProblem] = useState<string | null>(null);
  const { microtasksAccepted } = view.totals;
  if (microtasksAccepted === 0) return null;

  function share(): void {
    const address = `${window.location.host}/donate`;
    setProblem(null);
    handOut({ microtasks: formatCount(microtasksAccepted), address }).catch((error: unknown) => {
      // Whoever closes the sheet has changed their mind; nothing went wrong.
      const closed = error instanceof DOMException && error.name === "AbortError";
      setProblem(closed ? null : "The picture could not be shared from here.");
    });
  }

  return (
    <div className="mt-5 flex flex-wrap items-center gap-x-4 gap-y-2">
      <Button kind="quiet" onClick={share}>
        Share your count
      </Button>
      <p className="min-w-0 flex-1 basis-[14rem] text-[0.88rem] text-ink-3">
        A picture with your count and this page’s address, nothing else.
      </p>
      {problem ? (
        <p role="alert" className="basis-full text-[0.95rem] text-bad">
          {problem}
        </p>
      ) : null}
    </div>
  );
}

async function handOut(facts: ShareFacts): Promise<void> {
  const file = await sharePicture(facts);
  if ("canShare" in navigator && navigator.canShare({ files: [file] })) return navigator.share({ files: [file] });
  const link = document.createElement("a");
  link.href = URL.createObjectURL(file);
  link.download = file.name;
  link.click();
  URL.revokeObjectURL(link.href);
}
