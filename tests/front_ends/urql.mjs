// urql pages through all clients; its cache knows the schema, refuses what is not in it, and joins the pages.
import { readFileSync } from "node:fs";
import { Client, fetchExchange, gql } from "@urql/core";
import { cacheExchange } from "@urql/exchange-graphcache";
import { relayPagination } from "@urql/exchange-graphcache/extras";
import { buildSchema, introspectionFromSchema } from "graphql";
import { headers, url } from "./service.mjs";

const query = gql`
  query Clients($first: Int!, $after: String, $asOf: Moment) {
    clients(first: $first, after: $after, asOf: $asOf) {
      totalCount
      edges { cursor node { id clientId name score { score verdict } } }
      pageInfo { hasNextPage endCursor }
    }
  }
`;
let requests = 0;
const client = new Client({
  url,
  preferGetMethod: false,
  fetchOptions: { headers },
  fetch: (...request) => {
    requests += 1;
    return fetch(...request);
  },
  exchanges: [
    cacheExchange({
      schema: introspectionFromSchema(buildSchema(readFileSync(process.env.SCHEMA, "utf8"))),
      // A score has no identity of its own: it is a part of its client.
      keys: { Score: () => null },
      resolvers: { Query: { clients: relayPagination() } },
    }),
    fetchExchange,
  ],
});

let found;
let after;
do {
  const { data, error } = await client.query(query, { first: 4, after, asOf: process.env.AS_OF });
  if (error) throw error;
  found = data.clients;
  after = found.pageInfo.endCursor;
} while (found.pageInfo.hasNextPage);
const clients = found.edges.map((edge) => edge.node.clientId);
console.log(JSON.stringify({ clients, total: found.totalCount, requests }));
