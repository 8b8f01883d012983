// SPDX-License-Identifier: Apache-2.0
/*
 * A program that signs people in here, on an origin of its own: pages with oidc-client-ts and with
 * openid-client, as npm has them, and answers that a test computes itself.
 */

import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const modules = path.join(path.dirname(fileURLToPath(import.meta.url)), 'node_modules');
const IMPORTS = {
  imports: {
    'oidc-client-ts': '/modules/oidc-client-ts/dist/esm/oidc-client-ts.js',
    'openid-client': '/modules/openid-client/build/index.js',
    oauth4webapi: '/modules/oauth4webapi/build/index.js',
    'jose/jwe/compact/decrypt': '/modules/jose/dist/webapi/jwe/compact/decrypt.js',
    'jose/errors': '/modules/jose/dist/webapi/util/errors.js',
    'jwt-decode': '/modules/jwt-decode/build/esm/index.js',
  },
};
const PAGE = `<!doctype html><html lang="en"><title>Relying party</title>
<link rel="icon" href="data:,"><script type="importmap">${JSON.stringify(IMPORTS)}</script>
<script type="module">
import * as oidc from 'oidc-client-ts';
import * as openid from 'openid-client';
Object.assign(window, { oidc, openid });
document.title = 'ready';
</script></html>`;

/* `routes`: path -> async (url) => { redirect } or text; everything else is the page. */
export async function startRelyingParty(routes = {}) {
  const server = createServer(async (request, response) => {
    const url = new URL(request.url, 'http://127.0.0.1');
    try {
      if (url.pathname.startsWith('/modules/')) {
        const file = path.join(modules, path.normalize(url.pathname.slice('/modules'.length)));
        response.setHeader('Content-Type', 'text/javascript');
        response.end(await readFile(file));
      } else if (routes[url.pathname]) {
        const { redirect, text = '' } = await routes[url.pathname](url);
        response.writeHead(redirect ? 302 : 200, redirect
          ? { Location: redirect } : { 'Content-Type': 'text/plain' });
        response.end(text);
      } else {
        response.setHeader('Content-Type', 'text/html');
        response.end(PAGE);
      }
    } catch (error) {
      response.writeHead(500, { 'Content-Type': 'text/plain' });
      response.end(String(error.cause ?? error));
    }
  });
  await new Promise((resolve) => { server.listen(0, '127.0.0.1', resolve); });
  return {
    origin: `http://127.0.0.1:${server.address().port}`,
    stop: () => new Promise((resolve) => {
      server.close(resolve);
      server.closeAllConnections();
    }),
  };
}
