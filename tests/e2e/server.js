// SPDX-License-Identifier: Apache-2.0
/*
 * What the page is served by: BASE_URL when it is set; else the binary that IMAGESYNC_BIN names;
 * else mock.py.
 */

import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const START_MS = 60_000;
const STOP_MS = 10_000;

export const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../..');
const venv = path.join(root, '.deps/venv');
export const photos = path.join(venv, 'lib/python3.11/site-packages/skimage/data');

function listening(child) {
  return new Promise((resolve, reject) => {
    const log = [];
    const timer = setTimeout(() => reject(new Error(`no server: ${log.join('\n')}`)), START_MS);
    child.once('exit', (code) => reject(new Error(`it ended (${code}): ${log.join('\n')}`)));
    createInterface({ input: child.stderr }).on('line', (line) => {
      log.push(line);
      try {
        const { event, port } = JSON.parse(line);
        if (event === 'listening') {
          clearTimeout(timer);
          resolve(port);
        }
      } catch {
        /* Not every line need be an event. */
      }
    });
  });
}

/*
 * Resolves to { url, mocked, data, stop() }; `settings` are IMAGESYNC_NAME by name. `at` is a port of
 * 127.0.0.1 (0: any), and the name that the browser calls it by.
 */
export async function startServer(settings = {}, at = { host: '127.0.0.1', port: 0 }) {
  if (process.env.BASE_URL) {
    return { url: process.env.BASE_URL, mocked: false, stop: async () => {} };
  }
  const binary = process.env.IMAGESYNC_BIN;
  const data = await mkdtemp(path.join(tmpdir(), 'imagesync-e2e-'));
  await symlink(path.join(root, 'var/models'), path.join(data, 'models'));
  const python = path.join(venv, 'bin/python');
  const [command, ...args] = binary
    ? [path.resolve(binary), 'serve', '--listen', `127.0.0.1:${at.port}`, '--data', data]
    : [existsSync(python) ? python : 'python3', path.join(root, 'tests/e2e/mock.py')];
  /* IMAGESYNC_* are the server's settings, and IMAGESYNC_BIN is none of them. */
  const { IMAGESYNC_BIN: _, ...env } = process.env;
  for (const [name, value] of Object.entries(settings)) {
    env[`IMAGESYNC_${name.toUpperCase()}`] = String(value);
  }
  const child = spawn(command, args, { cwd: root, env, stdio: ['ignore', 'ignore', 'pipe'] });
  const port = await listening(child).catch(async (error) => {
    child.kill('SIGKILL');
    await rm(data, { recursive: true, force: true });
    throw error;
  });
  return {
    url: `http://${at.host}:${port}/`,
    mocked: !binary,
    data,
    async stop() {
      const ended = new Promise((resolve) => child.once('exit', resolve));
      child.kill('SIGTERM');
      const timer = setTimeout(() => child.kill('SIGKILL'), STOP_MS);
      await ended;
      clearTimeout(timer);
      await rm(data, { recursive: true, force: true });
    },
  };
}
