// SPDX-License-Identifier: Apache-2.0
/* The npm packages @tus/server and @tus/file-store, of tests/clients, on a folder and any free port of
 * 127.0.0.1, which is written as a line; until standard input ends. */

import { createRequire } from 'node:module';

const require = createRequire(new URL('../tests/clients/package.json', import.meta.url));
const { Server } = await import(require.resolve('@tus/server'));
const { FileStore } = await import(require.resolve('@tus/file-store'));

const tus = new Server({ path: '/files', datastore: new FileStore({ directory: process.argv[2] }) });
const server = tus.listen({ host: '127.0.0.1', port: 0 }, () => {
  console.log(server.address().port);
});
process.stdin.resume().on('end', () => process.exit());
