// PostGraphile over the tables of a database as they are: `node serve.mjs DATABASE_URL PORT TENANT`.
import { createServer } from "node:http";
import { grafserv } from "grafserv/node";
import { postgraphile } from "postgraphile";
import { makePgService } from "postgraphile/adaptors/pg";
import { PostGraphileAmberPreset } from "postgraphile/presets/amber";

const [connectionString, port, tenant] = process.argv.slice(2);
const instance = postgraphile({
  extends: [PostGraphileAmberPreset],
  // It would hide orders for which the table has no index; it is to do here what we do.
  disablePlugins: ["PgIndexBehaviorsPlugin"],
  pgServices: [makePgService({ connectionString, schemas: ["public"] })],
  grafserv: { graphqlPath: "/graphql", graphiql: false, watch: false },
  // Row-level security asks whose request it is.
  grafast: { explain: false, context: () => ({ pgSettings: { "app.tenant_id": tenant } }) },
});
const server = createServer();
await instance.createServ(grafserv).addTo(server);
server.listen(Number(port), "127.0.0.1");
