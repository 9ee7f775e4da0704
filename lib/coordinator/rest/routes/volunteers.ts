/** Leaderboards, and what volunteers say of themselves. */
import type { IncomingMessage } from "node:http";
import { z } from "zod";
import {
  CreateTeam,
  Leaderboard,
  PutVolunteer,
  TeamInvite,
  VolunteerResource,
  Week,
} from "#lib/protocol/api/volunteers.ts";
import { JoinToken } from "#lib/protocol/ids.ts";
import type { VolunteerService } from "../../volunteers/volunteer-service.ts";
import { openRoute, type Route } from "../route.ts";

/** @param hostOf the coordinator's host, as the browser sees it */
export function volunteerRoutes(volunteers: VolunteerService, hostOf: (request: IncomingMessage) => string): Route[] {
  return [
    openRoute({
      method: "GET",
      path: "/leaderboard",
      operation: "getLeaderboard",
      tag: "Donors",
      summary: "A week's verified microtasks, by volunteers who gave a name and by teams",
      query: z.object({ week: Week.optional() }),
      answer: Leaderboard,
      handle: async ({ query }) => ({ value: await volunteers.leaderboard(query.week) }),
    }),
    openRoute({
      method: "POST",
      path: "/volunteers",
      operation: "putVolunteer",
      tag: "Donors",
      summary: "Set a volunteer's public name and team",
      description: "Signed by the volunteer's own key pair; see lib/protocol/volunteer-identity.ts.",
      bodyKind: "json",
      body: PutVolunteer,
      errors: ["forbidden", "not_found"],
      answer: VolunteerResource,
      handle: async ({ body, request }) => ({ value: await volunteers.put(body, hostOf(request)) }),
    }),
    openRoute({
      method: "POST",
      path: "/teams",
      operation: "createTeam",
      tag: "Donors",
      summary: "Make a team and join it",
      bodyKind: "json",
      body: CreateTeam,
      status: 201,
      errors: ["forbidden"],
      answer: VolunteerResource,
      handle: async ({ body, request }) => ({ value: await volunteers.createTeam(body, hostOf(request)) }),
    }),
    openRoute({
      method: "GET",
      path: "/team-invites/{token}",
      operation: "getTeamInvite",
      tag: "Donors",
      summary: "What a team's link leads to",
      params: z.object({ token: JoinToken }),
      answer: TeamInvite,
      handle: async ({ params }) => ({ value: { name: (await volunteers.team(params.token)).name } }),
    }),
  ];
}
