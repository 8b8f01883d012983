// SPDX-License-Identifier: Apache-2.0
/*
 * The npm package oidc-provider as an issuer on a free port of 127.0.0.1: prints its URL, reads the
 * redirect URI of each client (a JSON object by name), and prints "ready". Whoever signs in is the
 * person of the name that they type, with an address of it; "unconfirmed..." is not verified.
 */
import { generateKeyPairSync } from 'node:crypto';
import { createServer } from 'node:http';
import { createInterface } from 'node:readline';
import Provider from 'oidc-provider';

const SECRET = 'a secret: of the clients %';
const CLIENTS = {
  rs: { id_token_signed_response_alg: 'RS256', token_endpoint_auth_method: 'client_secret_basic' },
  ps: { id_token_signed_response_alg: 'PS256', token_endpoint_auth_method: 'client_secret_post' },
  es: { id_token_signed_response_alg: 'ES256', token_endpoint_auth_method: 'none' },
  ed: { id_token_signed_response_alg: 'EdDSA', token_endpoint_auth_method: 'client_secret_basic' },
};

function key(kid, alg, type, options) {
  const { privateKey } = generateKeyPairSync(type, options);
  return { ...privateKey.export({ format: 'jwk' }), kid, alg, use: 'sig' };
}

const server = createServer();
await new Promise((resolve) => { server.listen(0, '127.0.0.1', resolve); });
const url = `http://127.0.0.1:${server.address().port}`;
const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
console.log(JSON.stringify({ url }));
const redirects = JSON.parse((await lines.next()).value);

const provider = new Provider(url, {
  clients: Object.entries(CLIENTS).map(([id, options]) => ({
    client_id: id, redirect_uris: [redirects[id]], response_types: ['code'],
    grant_types: ['authorization_code'],
    ...(options.token_endpoint_auth_method === 'none' ? {} : { client_secret: SECRET }), ...options,
  })),
  jwks: { keys: [
    key('rsa', 'RS256', 'rsa', { modulusLength: 2048 }),
    key('pss', 'PS256', 'rsa', { modulusLength: 2048 }),
    key('ec', 'ES256', 'ec', { namedCurve: 'P-256' }),
    key('ed', 'EdDSA', 'ed25519'),
  ] },
  enabledJWA: { idTokenSigningAlgValues: ['RS256', 'PS256', 'ES256', 'EdDSA'] },
  claims: { openid: ['sub'], email: ['email', 'email_verified'], profile: ['name', 'locale'] },
  pkce: { required: () => true },
  cookies: { keys: ['only of this test run'] },
  findAccount: (context, id) => ({
    accountId: id,
    claims: () => ({ sub: id, email: `${id}@example.com`, name: id.toUpperCase(), locale: 'en',
      email_verified: !id.startsWith('unconfirmed') }),
  }),
});
server.on('request', provider.callback());
console.log('"ready"');
for await (const line of lines) { /* until the one that started it is gone */ }
process.exit(0);
