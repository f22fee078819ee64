// A list of clients that loads more as one scrolls, as a Relay application would have it.
import { graphql } from "relay-runtime";

export const page = graphql`
  query ClientListQuery($asOf: Moment) {
    ...ClientList_query @arguments(asOf: $asOf)
  }
`;

export const list = graphql`
  fragment ClientList_query on Query
  @argumentDefinitions(
    count: { type: "Int", defaultValue: 20 }
    cursor: { type: "String" }
    asOf: { type: "Moment" }
  )
  @refetchable(queryName: "ClientListPaginationQuery") {
    clients(first: $count, after: $cursor, asOf: $asOf) @connection(key: "ClientList_clients") {
      totalCount
      edges {
        node {
          clientId
          ...ClientList_client
        }
      }
    }
  }
`;

// One that refetches by `node(id:)`.
export const row = graphql`
  fragment ClientList_client on Client @refetchable(queryName: "ClientListRowQuery") {
    name
    createdAt
    score {
      score
      verdict
    }
  }
`;
