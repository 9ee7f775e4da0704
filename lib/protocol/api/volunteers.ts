/** Volunteers and teams: names that people chose to show, and the weeks' leaderboards. */
import { z } from "zod";
import { JoinToken, TeamId, VolunteerId } from "../ids.ts";
import { SignedIdentity } from "../volunteer-identity.ts";

export const Week = z.string().regex(/^\d{4}-W\d{2}$/, "an ISO week like 2026-W48 is wanted here");

const Line = z.object({
  name: z.string(),
  microtasks: z.int().nonnegative(),
  compute_seconds: z.number().nonnegative(),
});
export const Leaderboard = z
  .object({
    week: Week,
    /** Only volunteers who gave a name. */
    volunteers: z.array(Line.extend({ team: z.string().nullable() })),
    teams: z.array(Line),
  })
  .meta({ id: "Leaderboard" });
export type Leaderboard = z.infer<typeof Leaderboard>;

const PublicName = z.string().trim().min(1).max(40);

/** Signed by the volunteer's own key; null removes a name or leaves the team. */
export const PutVolunteer = z.object({
  identity: SignedIdentity,
  name: PublicName.nullable(),
  team_token: JoinToken.nullable(),
});
export type PutVolunteer = z.infer<typeof PutVolunteer>;

const TeamCard = z.object({ id: TeamId, name: z.string(), join_token: JoinToken });
export const VolunteerResource = z
  .object({
    id: VolunteerId,
    object: z.literal("volunteer"),
    name: z.string().nullable(),
    team: TeamCard.nullable(),
  })
  .meta({ id: "Volunteer" });
export type VolunteerResource = z.infer<typeof VolunteerResource>;

/** Its maker is its first member. */
export const CreateTeam = z.object({ identity: SignedIdentity, name: PublicName });
export type CreateTeam = z.infer<typeof CreateTeam>;

export const TeamInvite = z.object({ name: z.string() }).meta({ id: "TeamInvite" });
