"""GraphQL, over the same use cases as REST."""
