"use client";
/**
 * A name and a team, for those who want them: a key pair made in this browser is the identity, and its owner may take it along.
 * Without one a visitor donates just as well, and is nobody to us.
 */
import { type FormEvent, useEffect, useRef, useState } from "react";
import { VolunteerResource } from "#lib/protocol/api/volunteers.ts";
import { JoinToken } from "#lib/protocol/ids.ts";
import {
  forgetVolunteerKey,
  importVolunteerKey,
  keptVolunteerKey,
  makeVolunteerKey,
  type VolunteerKey,
} from "#worker/host/identity.ts";
import { postJson, problemText } from "../components/api.ts";
import { Button } from "../components/ui/button.tsx";
import { Card } from "../components/ui/card.tsx";
import { CodeBlock } from "../components/ui/code.tsx";
import { TextField } from "../components/ui/field.tsx";
import { saveFile } from "./log.tsx";

const PROFILE = "flux.volunteer.profile";

export function Volunteer({ teamToken }: { teamToken: string | null }) {
  const { key, profile, problem, act } = useVolunteer();
  const file = useRef<HTMLInputElement>(null);

  function save(event: FormEvent<HTMLFormElement>) {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    const name = String(form.get("name") ?? "").trim();
    const newTeam = String(form.get("new-team") ?? "").trim();
    void act(async (current) => {
      const used = current ?? (await makeVolunteerKey());
      const team = teamToken ?? profile?.team?.join_token ?? null;
      const body = { identity: await used.sign(), name: name || null, team_token: JoinToken.nullable().parse(team) };
      const saved = VolunteerResource.parse(await postJson("/api/v1/volunteers", body));
      if (newTeam === "") return { key: used, profile: saved };
      const teamed = await postJson("/api/v1/teams", { identity: await used.sign(), name: newTeam });
      return { key: used, profile: VolunteerResource.parse(teamed) };
    });
  }

  return (
    <Card className="p-5">
      <h2 className="text-[1.15rem]">Your name, if you like</h2>
      <p className="mt-2 text-[0.95rem] text-ink-2">
        {key
          ? "A key in this browser is you. It counts from the next start."
          : "Donate without a name, or appear on the week’s board under one. A key is made in this browser for it."}
      </p>
      <form key={profile?.id ?? "new"} onSubmit={save} className="mt-4 grid gap-4">
        <TextField
          label="Public name"
          name="name"
          maxLength={40}
          defaultValue={profile?.name ?? ""}
          hint="Leave it empty to be left out."
          error={problem}
        />
        {teamToken ? (
          <p className="text-[0.95rem]">Saving joins the team whose link led you here.</p>
        ) : profile?.team ? (
          <div>
            <p className="mb-1.5 text-[0.95rem] font-[560]">Team {profile.team.name}: link for others</p>
            <CodeBlock
              text={`${location.origin}/donate?team=${profile.team.join_token}`}
              label="Copy the team's link"
            />
          </div>
        ) : (
          <TextField label="New team" name="new-team" maxLength={40} hint="Or open the link of a team to join it." />
        )}
        <div className="flex flex-wrap gap-2.5">
          <Button type="submit" size="small">
            Save
          </Button>
          {key ? (
            <Button
              kind="quiet"
              size="small"
              onClick={() => saveFile(key.exported(), "flux-key.json", "application/json")}
            >
              Export key
            </Button>
          ) : null}
          <Button kind="quiet" size="small" onClick={() => file.current?.click()}>
            Import key
          </Button>
          {key ? (
            <Button
              kind="bare"
              size="small"
              onClick={() =>
                void act(async () => {
                  forgetVolunteerKey();
                  return { key: null, profile: null };
                })
              }
            >
              Forget key
            </Button>
          ) : null}
        </div>
        <input
          ref={file}
          type="file"
          accept="application/json"
          aria-label="Exported key"
          className="sr-only"
          tabIndex={-1}
          onChange={(event) => {
            const chosen = event.target.files?.[0];
            if (chosen) void act(async () => ({ key: await importVolunteerKey(await chosen.text()), profile: null }));
          }}
        />
      </form>
    </Card>
  );
}

interface Known {
  readonly key: VolunteerKey | null;
  readonly profile: VolunteerResource | null;
}

function useVolunteer() {
  const [known, setKnown] = useState<Known>({ key: null, profile: null });
  const [problem, setProblem] = useState<string | null>(null);
  useEffect(() => {
    void keptVolunteerKey().then((key) => setKnown({ key, profile: key ? keptProfile() : null }));
  }, []);

  async function act(change: (key: VolunteerKey | null) => Promise<Known>): Promise<void> {
    setProblem(null);
    try {
      const next = await change(known.key);
      keepProfile(next.profile);
      setKnown(next);
    } catch (error) {
      setProblem(error instanceof Error && error.name === "Error" ? error.message : problemText(error));
    }
  }
  return { ...known, problem, act };
}

function keptProfile(): VolunteerResource | null {
  try {
    return VolunteerResource.parse(JSON.parse(localStorage.getItem(PROFILE) ?? "null"));
  } catch {
    return null;
  }
}

function keepProfile(profile: VolunteerResource | null): void {
  try {
    if (profile) localStorage.setItem(PROFILE, JSON.stringify(profile));
    else localStorage.removeItem(PROFILE);
  } catch {
    // Refused: it is asked for again at the next visit.
  }
}
