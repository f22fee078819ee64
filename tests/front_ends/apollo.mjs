// Apollo Client pages through all clients, and its cache puts the pages together as Relay would.
import { ApolloClient, ApolloLink, HttpLink, InMemoryCache, gql } from "@apollo/client";
import { relayStylePagination } from "@apollo/client/utilities";
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
const counting = new ApolloLink((operation, forward) => {
  requests += 1;
  return forward(operation);
});
const client = new ApolloClient({
  link: counting.concat(new HttpLink({ uri: url, headers })),
  cache: new InMemoryCache({
    possibleTypes: { Node: ["Client"] },
    typePolicies: { Query: { fields: { clients: relayStylePagination(["asOf"]) } } },
  }),
});

const variables = { first: 4, asOf: process.env.AS_OF };
let { data } = await client.query({ query, variables });
const watched = client.watchQuery({ query, variables });
// Without a subscriber there is nothing to fetch more for.
watched.subscribe(() => {});
while (data.clients.pageInfo.hasNextPage) {
  await watched.fetchMore({ variables: { after: data.clients.pageInfo.endCursor } });
  data = client.readQuery({ query, variables });
}
const clients = data.clients.edges.map((edge) => edge.node.clientId);
console.log(JSON.stringify({ clients, total: data.clients.totalCount, requests }));
client.stop();
