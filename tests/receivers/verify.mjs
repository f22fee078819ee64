// Verifies what comes on stdin, by npm's library: a JSON list of {secret, headers, body}; prints what came of each.
import { readFileSync } from "node:fs";
import { Webhook } from "standardwebhooks";

const found = JSON.parse(readFileSync(0, "utf8")).map(({ secret, headers, body }) => {
  try {
    return new Webhook(secret).verify(body, headers).type;
  } catch (error) {
    return error.message;
  }
});
console.log(JSON.stringify(found));
