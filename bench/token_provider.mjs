// SPDX-License-Identifier: Apache-2.0
/*
 * The peer of bench/tokens.py: the npm package oidc-provider, which keeps everything in memory, set
 * up to answer a refresh as our server does: the refresh token is rotated, and access and ID token
 * are signed with ES256. Prints its URL and as many refresh tokens as its argument says, as JSON.
 */
import { generateKeyPairSync } from 'node:crypto';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';

const require = createRequire(new URL('../tests/clients/package.json', import.meta.url));
const { Provider } = await import(require.resolve('oidc-provider'));
const RESOURCE = 'urn:bench';

// Its own one forgets all but the last thousand things.
class Memory {
  static kept = new Map();

  constructor(name) { this.name = name; }

  key(id) { return `${this.name}:${id}`; }

  async upsert(id, payload) { Memory.kept.set(this.key(id), payload); }

  async find(id) { return Memory.kept.get(this.key(id)); }

  async consume(id) { Memory.kept.get(this.key(id)).consumed = Math.floor(Date.now() / 1000); }

  async destroy(id) { Memory.kept.delete(this.key(id)); }

  async revokeByGrantId() { /* no token is used twice here */ }
}

const server = createServer();
await new Promise((resolve) => { server.listen(0, '127.0.0.1', resolve); });
const url = `http://127.0.0.1:${server.address().port}`;
const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });

const provider = new Provider(url, {
  adapter: Memory,
  clients: [{
    client_id: 'shop', redirect_uris: ['https://shop.example.com/callback'],
    response_types: ['code'], grant_types: ['authorization_code', 'refresh_token'],
    token_endpoint_auth_method: 'none', id_token_signed_response_alg: 'ES256',
  }],
  jwks: { keys: [{ ...privateKey.export({ format: 'jwk' }), kid: 'ec', alg: 'ES256', use: 'sig' }] },
  rotateRefreshToken: true,
  cookies: { keys: ['only of this run'] },
  ttl: { AccessToken: 600, IdToken: 600, RefreshToken: 86400, Grant: 86400 },
  features: {
    devInteractions: { enabled: false },
    resourceIndicators: {
      enabled: true,
      defaultResource: () => RESOURCE,
      useGrantedResource: () => true,
      getResourceServerInfo: () => ({
        scope: 'account', audience: RESOURCE, accessTokenFormat: 'jwt',
        jwt: { sign: { alg: 'ES256' } },
      }),
    },
  },
  findAccount: (context, id) => ({ accountId: id, claims: () => ({ sub: id }) }),
});

async function refreshToken(accountId) {
  const client = await provider.Client.find('shop');
  const grant = new provider.Grant({ accountId, clientId: 'shop' });
  grant.addOIDCScope('openid offline_access');
  grant.addResourceScope(RESOURCE, 'account');
  const token = new provider.RefreshToken({
    accountId, client, grantId: await grant.save(), gty: 'authorization_code', resource: RESOURCE,
    scope: 'openid offline_access account', authTime: Math.floor(Date.now() / 1000),
  });
  return token.save();
}

server.on('request', provider.callback());
const tokens = [];
for (let i = 0; i < Number(process.argv[2]); i++) {
  tokens.push(await refreshToken(`user${i}`));
}
console.log(JSON.stringify({ url, tokens }));
process.stdin.on('end', () => process.exit(0)).resume();
