// How @hey-api/openapi-ts makes a client of openapi.json: `openapi-ts --file openapi/typescript-client.mjs`.
// Imports with extensions, so that Node and bundlers both find the files.
export default {
  input: "./openapi/openapi.json",
  output: { path: "partwise-client", module: { extension: ".js" } },
};
