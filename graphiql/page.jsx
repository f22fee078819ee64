// GraphiQL for this service: it asks for an API key and sends it with each request. The key stays in this tab's
// session storage, which ends with the tab; queries are kept by GraphiQL in local storage, headers are not.
import { GraphiQL } from "graphiql";
import { useMemo, useState } from "react";
import { createRoot } from "react-dom/client";

const STORED_AS = "partwise-api-key";

const EXAMPLE = `# Put an API key into the field above, such as this command makes:
# python -m app keys create --tenant studio

query WorstFirst {
  clients(first: 10) {
    totalCount
    edges {
      node {
        id
        clientId
        name
        score {
          score
          verdict
        }
      }
    }
    pageInfo {
      hasNextPage
      endCursor
    }
  }
}
`;

function fetcherWith(key) {
  return async (request, options) => {
    const headers = new Headers({
      Accept: "application/graphql-response+json, application/json",
      "Content-Type": "application/json",
    });
    if (key) headers.set("Authorization", `Bearer ${key}`);
    for (const [name, value] of Object.entries(options?.headers ?? {})) headers.set(name, value);
    if (!headers.has("Authorization")) return { errors: [{ message: "Put an API key into the field above." }] };
    const answer = await fetch("/graphql", { method: "POST", headers, body: JSON.stringify(request) });
    return answer.json();
  };
}

// The key is taken when it is whole: on Enter, or when one goes on to something else.
function KeyField({ value, onChange }) {
  const take = (input) => onChange(input.value.trim());
  const submit = (event) => {
    event.preventDefault();
    take(event.currentTarget.elements.key);
  };
  return (
    <form className="api-key" autoComplete="off" onSubmit={submit}>
      <label htmlFor="key">API key</label>
      <input
        id="key"
        name="key"
        type="password"
        placeholder="pw_…"
        autoComplete="off"
        defaultValue={value}
        onBlur={(event) => take(event.target)}
      />
    </form>
  );
}

function Page() {
  const [key, setKey] = useState(() => sessionStorage.getItem(STORED_AS) ?? "");
  const fetcher = useMemo(() => fetcherWith(key), [key]);
  const keep = (found) => {
    sessionStorage.setItem(STORED_AS, found);
    setKey(found);
  };
  return (
    <GraphiQL fetcher={fetcher} defaultQuery={EXAMPLE} showPersistHeadersSettings={false} shouldPersistHeaders={false}>
      <GraphiQL.Logo>
        <KeyField value={key} onChange={keep} />
      </GraphiQL.Logo>
    </GraphiQL>
  );
}

createRoot(document.getElementById("graphiql")).render(<Page />);
