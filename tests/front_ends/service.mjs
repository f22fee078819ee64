// Where the service is and which key to show it; the tests say so in the environment.
export const url = process.env.GRAPHQL_URL;
export const headers = { Authorization: `Bearer ${process.env.API_KEY}` };
