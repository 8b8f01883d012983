// SPDX-License-Identifier: Apache-2.0
/* Calls one function of the package with the options on standard input; prints what came of it. */
'use strict';
const client = require('remove.bg');
const options = JSON.parse(require('fs').readFileSync(0, 'utf8'));

client[process.argv[2]](options).then(
  (result) => console.log(JSON.stringify({ result })),
  (errors) => console.log(JSON.stringify({ errors })));
