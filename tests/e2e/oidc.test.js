// SPDX-License-Identifier: Apache-2.0
/* Programs that sign people in here, written with the client libraries of npm, in Chromium. */

import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createHash } from 'node:crypto';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, test } from 'node:test';

import AxeBuilder from '@axe-core/playwright';
import * as openid from 'openid-client';

import { PASSWORD, linkInMail, newAddress } from './people.js';
import { startRelyingParty } from './relying_party.js';
import { startServer } from './server.js';
import { button, page, real, settings, useSite } from './site.js';

const SECRET = 'a secret of the backend 0123456789';
const SCOPE = 'openid profile email offline_access';
const clients = [
  { id: 'spa', name: 'The page', scope: SCOPE, redirect_uris: ['http://127.0.0.1/callback'],
    post_logout_redirect_uris: ['http://127.0.0.1/bye'] },
  { id: 'backend', name: 'The backend', scope: SCOPE,
    secret_sha256: createHash('sha256').update(SECRET).digest('hex'),
    redirect_uris: ['http://127.0.0.1/callback'],
    post_logout_redirect_uris: ['http://127.0.0.1/bye'] },
];

let folder;
let issuer;
let party;
let address;

async function register(server) {
  address = newAddress();
  const post = (where, body) => fetch(issuer + where, { method: 'POST',
    headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body) });
  assert.equal((await post('/v1/registrations', { email: address })).status, 202);
  const link = new URL(await linkInMail(server, address, '/account/register'));
  assert.equal((await post('/v1/registrations/complete', { password: PASSWORD, name: 'Ada',
    token: link.searchParams.get('token') })).status, 201);
}

async function start() {
  folder = await mkdtemp(path.join(tmpdir(), 'imagesync-oidc-'));
  await writeFile(path.join(folder, 'clients.json'), JSON.stringify({ clients }));
  const started = await startServer({ ...settings, oidc_clients: path.join(folder, 'clients.json') });
  issuer = new URL(started.url).origin;
  await register(started);
  return started;
}

useSite({ start, stopped: () => rm(folder, { recursive: true, force: true }) });

afterEach(async () => {
  await party?.stop();
  party = undefined;
});

const ready = () => page.waitForFunction(() => document.title === 'ready');

async function signIn() {
  await page.getByRole('heading', { name: 'Sign in', exact: true }).waitFor();
  await page.getByLabel('E-mail', { exact: true }).fill(address);
  await page.getByLabel('Password', { exact: true }).fill(PASSWORD);
  await button('Sign in').click();
}

async function allow(name) {
  await page.getByRole('heading', { name: 'Allow access?' }).waitFor();
  assert.match(await page.locator('main').innerText(), new RegExp(`${name} asks for access`));
  await button('Allow').click();
}

/* What the server says of an access token now, asked from the page: another origin. */
const userinfo = (token) => page.evaluate(async ([url, bearer]) => {
  const reply = await fetch(url, { headers: { Authorization: `Bearer ${bearer}` } });
  return { status: reply.status, challenge: reply.headers.get('WWW-Authenticate') };
}, [`${issuer}/oauth/userinfo`, token]);

test('oidc-client-ts: sign-in, consent, userinfo, silent refresh, sign-out', real, async () => {
  party = await startRelyingParty();
  const manage = async (work, argument) => {
    await ready();
    return page.evaluate(([settings, source, given]) => {
      window.manager ??= new window.oidc.UserManager({ ...settings,
        userStore: new window.oidc.WebStorageStateStore({ store: window.localStorage }) });
      return new Function('manager', 'given', `return (${source})(manager, given)`)(
        window.manager, given);
    }, [{ authority: issuer, client_id: 'spa', redirect_uri: `${party.origin}/callback`,
      post_logout_redirect_uri: `${party.origin}/bye`, response_type: 'code', scope: SCOPE,
      loadUserInfo: true, automaticSilentRenew: false, revokeTokensOnSignout: true },
    String(work), argument]);
  };

  await page.goto(party.origin);
  await manage((manager) => { manager.signinRedirect({ state: { from: 'here' } }); });
  await signIn();
  await allow('The page');
  await page.waitForURL(`${party.origin}/callback?**`);
  const user = await manage(async (manager) => {
    const { profile, state, ...rest } = await manager.signinCallback();
    return { profile, state, access: rest.access_token, refresh: rest.refresh_token,
      id: rest.id_token, scope: rest.scope };
  });
  assert.equal(user.profile.email, address);
  assert.equal(user.profile.name, 'Ada');
  assert.equal(user.profile.iss, issuer);
  assert.deepEqual(user.state, { from: 'here' });
  assert.equal(user.scope, SCOPE);
  assert.equal((await userinfo(user.access)).status, 200);

  const renewed = await manage(async (manager) => {
    const fresh = await manager.signinSilent();
    return { sub: fresh.profile.sub, access: fresh.access_token, refresh: fresh.refresh_token };
  });
  assert.equal(renewed.sub, user.profile.sub);
  assert.notEqual(renewed.refresh, user.refresh);
  assert.notEqual(renewed.access, user.access);
  assert.equal((await userinfo(renewed.access)).status, 200);

  await manage((manager) => { manager.signoutRedirect({ state: 'bye' }); });
  await page.waitForURL(`${party.origin}/bye?**`);
  const left = await manage(async (manager) => {
    const response = await manager.signoutCallback();
    return { state: response.userState, user: await manager.getUser() };
  });
  assert.equal(left.user, null);
  const after = await userinfo(renewed.access);
  assert.equal(after.status, 401);
  assert.match(after.challenge, /^Bearer .*error="invalid_token"/);
  await manage((manager) => { manager.signinRedirect(); });
  await page.getByRole('heading', { name: 'Sign in', exact: true }).waitFor(); /* who was out */
});

test('openid-client in a page: the whole flow, refresh, revocation, sign-out', real, async () => {
  party = await startRelyingParty();
  const redirect = `${party.origin}/callback`;
  /* The library as `openid`, and its configuration; `kept` outlives the page. */
  const work = async (step, argument) => {
    await ready();
    return page.evaluate(async ([url, source, given]) => {
      const { openid } = window;
      const config = await openid.discovery(new URL(url), 'spa', undefined, openid.None(),
        { execute: [openid.allowInsecureRequests] });
      openid.enableNonRepudiationChecks(config);
      return new Function('openid', 'config', 'given', `return (${source})(openid, config, given)`)(
        openid, config, given);
    }, [issuer, String(step), argument]);
  };

  await page.goto(party.origin);
  const begun = await work(async (openid, config, { redirect_uri, scope }) => {
    const verifier = openid.randomPKCECodeVerifier();
    const nonce = openid.randomNonce();
    const state = openid.randomState();
    const href = openid.buildAuthorizationUrl(config, { redirect_uri, scope, nonce, state,
      code_challenge: await openid.calculatePKCECodeChallenge(verifier),
      code_challenge_method: 'S256' }).href;
    return { verifier, nonce, state, href };
  }, { redirect_uri: redirect, scope: SCOPE });
  await page.goto(begun.href);
  await signIn();
  await allow('The page');
  await page.waitForURL(`${redirect}?**`);

  const got = await work(async (openid, config, { verifier, nonce, state }) => {
    const tokens = await openid.authorizationCodeGrant(config, new URL(window.location.href),
      { pkceCodeVerifier: verifier, expectedNonce: nonce, expectedState: state });
    const claims = tokens.claims();
    const user = await openid.fetchUserInfo(config, tokens.access_token, claims.sub);
    const fresh = await openid.refreshTokenGrant(config, tokens.refresh_token);
    const end = openid.buildEndSessionUrl(config, { id_token_hint: fresh.id_token,
      post_logout_redirect_uri: `${window.location.origin}/bye`, state: 'out' }).href;
    return { claims, user, end, refresh: [tokens.refresh_token, fresh.refresh_token],
      access: fresh.access_token };
  }, begun);
  assert.equal(got.claims.iss, issuer);
  assert.equal(got.claims.sub, got.user.sub);
  assert.equal(got.user.email, address);
  assert.notEqual(got.refresh[0], got.refresh[1]);

  const refused = await work(async (openid, config, [old, present]) => {
    await openid.tokenRevocation(config, present);
    return Promise.all([old, present].map((token) => openid.refreshTokenGrant(config, token).then(
      () => 'none', (error) => error.error)));
  }, got.refresh);
  assert.deepEqual(refused, ['invalid_grant', 'invalid_grant']);
  assert.equal((await userinfo(got.access)).status, 401);

  await page.goto(got.end);
  await page.waitForURL(`${party.origin}/bye?state=out`);
  await page.goto(begun.href);
  await page.getByRole('heading', { name: 'Sign in', exact: true }).waitFor();
});

test('openid-client on a server with a secret, people in Chromium', real, async () => {
  const config = await openid.discovery(new URL(issuer), 'backend', undefined,
    openid.ClientSecretBasic(SECRET), { execute: [openid.allowInsecureRequests] });
  openid.enableNonRepudiationChecks(config);
  const verifier = openid.randomPKCECodeVerifier();
  const [nonce, state] = [openid.randomNonce(), openid.randomState()];
  let tokens;
  party = await startRelyingParty({
    '/login': async () => ({ redirect: openid.buildAuthorizationUrl(config, {
      redirect_uri: `${party.origin}/callback`, scope: SCOPE, nonce, state,
      code_challenge: await openid.calculatePKCECodeChallenge(verifier),
      code_challenge_method: 'S256' }).href }),
    '/callback': async (url) => {
      tokens = await openid.authorizationCodeGrant(config, new URL(url.href.replace(url.origin,
        party.origin)), { pkceCodeVerifier: verifier, expectedNonce: nonce, expectedState: state });
      return { text: `Hello, ${(await openid.fetchUserInfo(config, tokens.access_token,
        tokens.claims().sub)).name}` };
    },
    '/logout': async () => ({ redirect: openid.buildEndSessionUrl(config, {
      id_token_hint: tokens.id_token, post_logout_redirect_uri: `${party.origin}/bye` }).href }),
    '/bye': async () => ({ text: 'Bye' }),
  });

  await page.goto(`${party.origin}/login`);
  await signIn();
  await allow('The backend');
  await page.getByText('Hello, Ada').waitFor();
  const fresh = await openid.refreshTokenGrant(config, tokens.refresh_token);
  assert.notEqual(fresh.refresh_token, tokens.refresh_token);
  assert.equal((await openid.tokenIntrospection(config, fresh.access_token)).active, true);
  await page.goto(`${party.origin}/logout`);
  await page.getByText('Bye').waitFor();
  await page.goto(`${party.origin}/login`);
  await page.getByRole('heading', { name: 'Sign in', exact: true }).waitFor();
});

test('a device is connected by the code that it shows', real, async () => {
  const post = async (where, fields) => (await fetch(`${issuer}/oauth/${where}`, { method: 'POST',
    body: new URLSearchParams({ client_id: 'imagesync-cli', ...fields }) })).json();
  const device = await post('device-authorization', { scope: 'openid email' });
  const accessible = async () => {
    for (const colorScheme of ['dark', 'light']) {
      await page.emulateMedia({ colorScheme });
      const { violations } = await new AxeBuilder({ page }).analyze();
      assert.deepEqual(violations.map(({ id }) => id), []);
    }
  };

  await page.goto(device.verification_uri);
  await accessible();
  await signIn();
  await page.getByLabel('The code that your device shows').fill(device.user_code.toLowerCase());
  await accessible();
  await button('Go on').click();
  await page.getByRole('heading', { name: 'Connect this device?' }).waitFor();
  assert.match(await page.locator('main').innerText(), new RegExp(device.user_code));
  await accessible();
  await button('Allow').click();
  await page.getByRole('heading', { name: 'The device is connected' }).waitFor();
  const tokens = await post('token', { device_code: device.device_code,
    grant_type: 'urn:ietf:params:oauth:grant-type:device_code' });
  assert.equal(tokens.scope, 'openid email');
});
