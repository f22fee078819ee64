// An OpenID Provider, certified as such, for the clients that a file names.
// node provider.mjs PORT FILE; the file has the signing keys, the first of which signs, and the clients.
import { readFileSync } from 'node:fs';
import { Provider } from 'oidc-provider';

const [port, file] = process.argv.slice(2);
const { keys, clients, audience } = JSON.parse(readFileSync(file, 'utf8'));
const url = `http://127.0.0.1:${port}`;

const provider = new Provider(url, {
  jwks: { keys },
  clients,
  // What an operator notes of a client; here the tenant that it works for.
  extraClientMetadata: { properties: ['tenant'] },
  extraTokenClaims: (_, token) => ({ tenant: token.client.tenant }),
  cookies: { keys: ['of no use here'] },
  features: {
    clientCredentials: { enabled: true },
    devInteractions: { enabled: false },
    resourceIndicators: {
      enabled: true,
      defaultResource: () => audience,
      useGrantedResource: () => true,
      getResourceServerInfo: () => ({
        scope: 'ingest read manage',
        audience,
        accessTokenTTL: 600,
        accessTokenFormat: 'jwt',
        jwt: { sign: { alg: keys[0].alg } },
      }),
    },
  },
});
provider.listen(Number(port), '127.0.0.1', () => console.log('ready'));
