// SPDX-License-Identifier: Apache-2.0
/* What the browser and an authenticator do (Web Authentication), in the JSON that the server takes. */
import { Problem } from './api.js';

/* Browsers make passkeys for names only, never for an address such as 127.0.0.1. */
const named = !/^(\[.*\]|[\d.]+)$/.test(location.hostname);
export const available = named && Boolean(window.PublicKeyCredential && navigator.credentials);

const bytesOf = (text) => Uint8Array.from(atob(text.replace(/-/g, '+').replace(/_/g, '/')),
  (character) => character.charCodeAt(0));
const textOf = (buffer) => btoa(String.fromCharCode(...new Uint8Array(buffer)))
  .replace(/\+/g, '-').replace(/\//g, '_').replace(/=+$/, '');
const descriptors = (list = []) => list.map((one) => ({ ...one, id: bytesOf(one.id) }));

/* Why there was none, for people; nothing is known of what they did, and need not be. */
const WORDS = {
  InvalidStateError: 'This device has a passkey for your account already.',
  NotAllowedError: 'No passkey was used: it was cancelled, took too long, or there is none.',
  NotSupportedError: 'This device cannot make a passkey that checks who you are.',
  SecurityError: 'Passkeys do not work under this address. Open the page under its own name.',
};

function explain(error) {
  const text = WORDS[error.name];
  return text ? new Problem(0, 'no_passkey', text) : error;
}

function jsonOf(credential, members) {
  const response = Object.fromEntries(members
    .filter((member) => credential.response[member])
    .map((member) => [member, textOf(credential.response[member])]));
  return { type: credential.type, id: credential.id, rawId: credential.id, response };
}

/* `publicKey` as the server gives it. */
export async function createPasskey(publicKey) {
  try {
    const credential = await navigator.credentials.create({ publicKey: {
      ...publicKey,
      challenge: bytesOf(publicKey.challenge),
      user: { ...publicKey.user, id: bytesOf(publicKey.user.id) },
      excludeCredentials: descriptors(publicKey.excludeCredentials),
    } });
    return jsonOf(credential, ['clientDataJSON', 'attestationObject']);
  } catch (error) {
    throw explain(error);
  }
}

/* `more` is what navigator.credentials.get() takes besides: mediation, signal. */
export async function usePasskey(publicKey, more = {}) {
  try {
    const credential = await navigator.credentials.get({ ...more, publicKey: {
      ...publicKey,
      challenge: bytesOf(publicKey.challenge),
      allowCredentials: descriptors(publicKey.allowCredentials),
    } });
    return jsonOf(credential,
      ['clientDataJSON', 'authenticatorData', 'signature', 'userHandle']);
  } catch (error) {
    throw explain(error);
  }
}
