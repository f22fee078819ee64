// GraphQL over HTTP, by the audits of the `graphql-http` package: one line in sum, one for each that is not ok.
import { auditServer } from "graphql-http";
import { headers, url } from "./service.mjs";

const results = await auditServer({
  url,
  fetchFn: (address, options = {}) => fetch(address, { ...options, headers: { ...options.headers, ...headers } }),
});

const count = (status) => results.filter((result) => result.status === status).length;
const kinds = ["ok", "notice", "warn", "error"].map((status) => `${count(status)} ${status}`);
console.log(`${results.length} audits: ${kinds.join(", ")}`);

for (const { id, name, status, reason, response } of results) {
  if (status === "ok") continue;
  const body = response?.bodyUsed === false ? await response.text() : "";
  console.log(`${status} ${id} ${name}: ${reason} (${response?.status}) ${body.slice(0, 300)}`);
}
