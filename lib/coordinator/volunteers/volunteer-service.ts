/** Volunteers and teams: names that people chose to show, the weeks' leaderboards, and the sums that everybody may see. */
import type { CreateTeam, Leaderboard, PutVolunteer, VolunteerResource } from "#lib/protocol/api/volunteers.ts";
import { FluxError } from "#lib/protocol/errors.ts";
import type { JoinToken, VolunteerId } from "#lib/protocol/ids.ts";
import { freshId } from "#lib/storage/ids.ts";
import type { TeamRecord, VolunteerRecord } from "#lib/storage/records.ts";
import type { Store, WeekEntry } from "#lib/storage/store.ts";
import { weekOf } from "#lib/storage/weeks.ts";
import { cleanName } from "../services/names.ts";
import { volunteerOf } from "./signed-identity.ts";

export interface VolunteerService {
  /** @param host of this coordinator, as the volunteer's browser sees it */
  put(request: PutVolunteer, host: string): Promise<VolunteerResource>;
  createTeam(request: CreateTeam, host: string): Promise<VolunteerResource>;
  team(token: JoinToken): Promise<TeamRecord>;
  /** @param week this week where left out */
  leaderboard(week?: string): Promise<Leaderboard>;
}

/** Lines of a leaderboard. */
const SHOWN = 50;

export function createVolunteerService(store: Store, now: () => number): VolunteerService {
  const { volunteers } = store;

  async function team(token: JoinToken): Promise<TeamRecord> {
    const found = await volunteers.teamByToken(token);
    if (!found) throw new FluxError("not_found", "There is no team with that link: ask for the right one.");
    return found;
  }

  async function known(id: VolunteerId, publicKey: string): Promise<VolunteerRecord> {
    return (await volunteers.get(id)) ?? { id, publicKey, displayName: null, teamId: null, createdAtMs: now() };
  }

  async function keep(record: VolunteerRecord): Promise<VolunteerResource> {
    await volunteers.upsert(record);
    const joined = record.teamId === null ? undefined : await volunteers.team(record.teamId);
    return {
      id: record.id,
      object: "volunteer",
      name: record.displayName,
      team: joined ? { id: joined.id, name: joined.name, join_token: joined.joinToken } : null,
    };
  }

  return {
    team,
    async put({ identity, name, team_token }, host) {
      const id = volunteerOf(identity, host, now());
      const joined = team_token === null ? null : await team(team_token);
      const before = await known(id, identity.publicKey);
      return keep({ ...before, displayName: name === null ? null : cleanName(name), teamId: joined?.id ?? null });
    },
    async createTeam({ identity, name }, host) {
      const id = volunteerOf(identity, host, now());
      const made: TeamRecord = {
        id: freshId("team"),
        name: cleanName(name),
        joinToken: freshId("join"),
        createdAtMs: now(),
      };
      await volunteers.insertTeam(made);
      return keep({ ...(await known(id, identity.publicKey)), teamId: made.id });
    },
    async leaderboard(week = weekOf(now())) {
      const line = ({ name, accepted, computeMs }: WeekEntry) => ({
        name,
        microtasks: accepted,
        compute_seconds: computeMs / 1_000,
      });
      const people = await volunteers.leaders(week, SHOWN);
      const teams = await volunteers.teamLeaders(week, SHOWN);
      return {
        week,
        volunteers: people.map((entry) => ({ ...line(entry), team: entry.team })),
        teams: teams.map(line),
      };
    },
  };
}
