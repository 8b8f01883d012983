// SPDX-License-Identifier: Apache-2.0
/* Calls of the user service by the session's cookie, which scripts cannot see. */

/* What was refused: `code` is the API's, `retryAfter` in seconds, 0 when it named none. */
export class Problem extends Error {
  constructor(status, code, title, detail = '', retryAfter = 0) {
    super(title);
    Object.assign(this, { status, code, detail, retryAfter });
  }
}

/* Asks for the password or a passkey once more; resolves to whether it was given. The account page sets it. */
let prove = async () => false;

export function onStaleProof(ask) {
  prove = ask;
}

async function problemOf(reply) {
  let told = {};
  try {
    told = await reply.json();
  } catch {
    /* A proxy in between may answer with a page of its own. */
  }
  return new Problem(reply.status, told.code ?? '',
    told.title ?? `The server answered with an error (${reply.status}).`, told.detail,
    Number(reply.headers.get('Retry-After')) || 0);
}

async function send(method, path, body, headers) {
  const init = { method, headers: { ...headers }, credentials: 'same-origin', cache: 'no-store' };
  if (body instanceof Blob) {
    init.headers['Content-Type'] = body.type || 'application/octet-stream';
    init.body = body;
  } else if (body !== undefined) {
    init.headers['Content-Type'] = 'application/json';
    init.body = JSON.stringify(body);
  }
  try {
    return await fetch(path, init);
  } catch {
    throw new Problem(0, 'unreachable', 'The server does not answer.');
  }
}

/* Leaves for the sign-in page, which comes back here; never resolves. */
export function signInFirst() {
  const here = location.pathname + location.search;
  location.replace(`/account/sign-in?next=${encodeURIComponent(here)}`);
  return new Promise(() => {});
}

/* Resolves to { body, etag }; throws a Problem. */
export async function call(method, path, body, headers = {}) {
  let reply = await send(method, path, body, headers);
  let problem = reply.ok ? null : await problemOf(reply);
  if (problem?.code === 'reauthentication_required') {
    if (!await prove()) {
      throw new Problem(403, 'not_proved', 'Nothing was changed: it was not confirmed that it is you.');
    }
    reply = await send(method, path, body, headers);
    problem = reply.ok ? null : await problemOf(reply);
  }
  if (problem?.code === 'signed_out') {
    return signInFirst();
  }
  if (problem) {
    throw problem;
  }
  return {
    body: reply.status === 204 ? null : await reply.json(),
    etag: reply.headers.get('ETag'),
  };
}

/* The token of a mail's link, taken out of the address bar and the history at once. */
export function takeToken() {
  const token = new URLSearchParams(location.search).get('token');
  if (location.search) {
    history.replaceState(null, '', location.pathname);
  }
  return token;
}

/*
 * Where to go after signing in. As an absolute URL, since a path may begin with two slashes and so
 * name another host.
 */
export function nextPage() {
  const next = new URLSearchParams(location.search).get('next');
  try {
    const url = new URL(next ?? '', location.origin);
    if (next && url.origin === location.origin && url.pathname !== '/account/sign-in') {
      return url.href;
    }
  } catch {
    /* No address at all. */
  }
  return '/account';
}
