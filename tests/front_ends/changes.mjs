// Follows what changes by a library, and goes on after the last cursor whenever its connection breaks: the variables of
// the request are sent anew with each attempt. Writes a line of JSON for each thing that happens.
import { createClient as createSocketClient } from "graphql-ws";
import { createClient as createStreamClient } from "graphql-sse";
import { headers, url } from "./service.mjs";

const [library] = process.argv.slice(2);
const wait = () => new Promise((done) => setTimeout(done, 200));
const tell = (what) => process.stdout.write(`${JSON.stringify(what)}\n`);
const on = { connected: () => tell({ connected: library }) };

const client =
  library === "graphql-ws"
    ? createSocketClient({
        url: url.replace(/^http/, "ws"),
        connectionParams: headers,
        lazy: false,
        onNonLazyError: () => {},
        retryAttempts: 1000,
        retryWait: wait,
        shouldRetry: () => true,
        on: { ...on, closed: ({ code, reason }) => tell({ closed: code, reason }) },
      })
    : createStreamClient({ url, headers, retryAttempts: 1000, retry: wait, on });

const request = {
  query: `subscription Changes($after: String, $verdict: [Verdict!]) {
    scoreChanged(after: $after, verdict: $verdict) {
      cursor
      changes { id clientId aspects before { verdict } after { verdict } }
    }
  }`,
  variables: JSON.parse(process.env.VARIABLES ?? "{}"),
};

client.subscribe(request, {
  next: ({ data, errors }) => {
    if (errors) {
      tell({ errors });
      return;
    }
    const { cursor, changes } = data.scoreChanged;
    request.variables.after = cursor;
    tell({ changes });
  },
  error: (error) => {
    tell({ error: error.code ?? error.message ?? error, reason: error.reason });
    process.exit(0);
  },
  complete: () => {
    tell({ complete: true });
    process.exit(0);
  },
});
