"""The Postgres adapter: the only place where SQL is spoken."""
