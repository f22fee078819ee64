// What a front end would write over the generated types; it must type-check as it stands.
import type { ClientsQuery, ClientsQueryVariables } from "./operations";

type Row = ClientsQuery["clients"]["edges"][number]["node"];

export const next = (found: ClientsQuery, first: number): ClientsQueryVariables => ({
  first,
  after: found.clients.pageInfo.endCursor,
});

export const title = (client: Row): string => `${client.name ?? client.clientId}: ${client.score.score.toFixed(0)}`;

// @ts-expect-error A field that was not asked for is not there.
export const country = (client: Row) => client.country;
