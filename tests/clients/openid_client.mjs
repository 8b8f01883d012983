// SPDX-License-Identifier: Apache-2.0
/*
 * A program that signs people in with openid-client: prints where to send them, reads where they
 * came back to, and prints what it was given at each step.
 */
import { createInterface } from 'node:readline';
import * as client from 'openid-client';

const { url, id, secret, redirect, scope, alg } = JSON.parse(process.argv[2]);
const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const tell = (value) => console.log(JSON.stringify(value));

const config = await client.discovery(
  new URL(url), id, { id_token_signed_response_alg: alg },
  secret ? client.ClientSecretBasic(secret) : client.None(),
  { execute: [client.allowInsecureRequests] });
client.enableNonRepudiationChecks(config); /* signatures are verified against the JWKS too */

const verifier = client.randomPKCECodeVerifier();
const nonce = client.randomNonce();
const state = client.randomState();
tell(client.buildAuthorizationUrl(config, {
  redirect_uri: redirect, scope, nonce, state, code_challenge_method: 'S256',
  code_challenge: await client.calculatePKCECodeChallenge(verifier),
}).href);

const back = new URL((await lines.next()).value);
const tokens = await client.authorizationCodeGrant(config, back, {
  pkceCodeVerifier: verifier, expectedNonce: nonce, expectedState: state, maxAge: 600,
});
const { sub } = tokens.claims();
const user = await client.fetchUserInfo(config, tokens.access_token, sub);
const refreshed = await client.refreshTokenGrant(config, tokens.refresh_token);
const before = secret ? await client.tokenIntrospection(config, refreshed.access_token) : null;
await client.tokenRevocation(config, refreshed.refresh_token);
const after = secret ? await client.tokenIntrospection(config, refreshed.access_token) : null;
const refused = await client.refreshTokenGrant(config, refreshed.refresh_token).then(
  () => 'none', (error) => error.error);
tell({
  claims: tokens.claims(), user, rotated: refreshed.refresh_token !== tokens.refresh_token,
  refreshed: refreshed.claims(), before, after, refused,
  end: client.buildEndSessionUrl(config, { id_token_hint: tokens.id_token }).href,
});
process.exit(0);
