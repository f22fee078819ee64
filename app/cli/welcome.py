"""What `run` prints once it answers: where, with which key, and four things to try."""

WELCOME = """
Partwise answers at {url}   (Ctrl-C stops it)

  API key of the demo tenant: {key}

Try, in another terminal:

  # 1. Who needs attention: clients, the highest score first
  curl -H "Authorization: Bearer {key}" "{url}/v1/clients"

  # 2. Tell what happened with a client
  curl -X POST "{url}/v1/events" -H "Authorization: Bearer {key}" \\
    -H "Content-Type: application/cloudevents+json" \\
    -d '{{"specversion":"1.0","id":"try-1","source":"/try","type":"contract.declined","subject":"acme",
         "time":"2026-01-15T10:00:00Z","data":{{"contract":"c-1"}}}}'

  # 3. Why the score is what it is
  curl -H "Authorization: Bearer {key}" "{url}/v1/clients/acme/explanation"

  # 4. The same by GraphQL; a browser shows GraphiQL at {url}/graphql
  curl "{url}/graphql" -H "Authorization: Bearer {key}" -H "Content-Type: application/json" \
    -d '{{"query": "{{ clients(first: 3) {{ edges {{ node {{ clientId score {{ score verdict }} }} }} }} }}"}}'
"""


def welcome(url: str, key: str) -> str:
    """Return the text for a server at `url` and the demo tenant's key."""
    return WELCOME.format(url=url, key=key)
