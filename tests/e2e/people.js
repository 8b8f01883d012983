// SPDX-License-Identifier: Apache-2.0
/* What people have outside of the browser: their mail, and a phone that shows codes. */

import { createHmac } from 'node:crypto';
import { readFile, readdir } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';

export const PASSWORD = 'correct horse battery';
const MAIL_MS = 20_000;
let people = 0;

export const newAddress = () => `somebody${++people}@example.com`;

async function mailsTo(server, address) {
  const folder = path.join(server.data, 'mail');
  const names = (await readdir(folder).catch(() => [])).filter((name) => name.endsWith('.eml'));
  const texts = await Promise.all(names.map((name) => readFile(path.join(folder, name), 'utf8')));
  return texts.filter((text) => text.includes(address));
}

/* The link to `page` in a mail to that address, waited for; soft line breaks are undone. */
export async function linkInMail(server, address, page) {
  const pattern = new RegExp(`https?://\\S+${page}\\?token=[\\w-]+`);
  for (const end = Date.now() + MAIL_MS; Date.now() < end; await pause(50)) {
    for (const text of await mailsTo(server, address)) {
      const link = pattern.exec(text.replace(/=\r?\n/g, '').replace(/=3D/g, '='));
      if (link) {
        return link[0];
      }
    }
  }
  throw new Error(`no mail to ${address} with ${page}`);
}

/* RFC 6238 of a base32 secret, `steps` of 30 s from now. */
export function totp(secret, steps = 0) {
  const bits = [...secret.replace(/\s/g, '')].map((character) => (
    'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'.indexOf(character).toString(2).padStart(5, '0'))).join('');
  const key = Buffer.from(bits.match(/.{8}/g).map((byte) => parseInt(byte, 2)));
  const counter = Buffer.alloc(8);
  counter.writeBigUInt64BE(BigInt(Math.floor(Date.now() / 30_000) + steps));
  const digest = createHmac('sha1', key).update(counter).digest();
  const number = digest.readUInt32BE(digest.at(-1) & 15) & 0x7fffffff;
  return String(number % 1_000_000).padStart(6, '0');
}
