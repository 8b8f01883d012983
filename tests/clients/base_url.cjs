// SPDX-License-Identifier: Apache-2.0
/* Changes the base URL that the remove.bg package has built in, and nothing else. */
'use strict';
const fs = require('fs');
const Module = require('module');
const VENDOR = 'https://api.remove.bg';
const load = Module._extensions['.js'];

Module._extensions['.js'] = function (module, filename) {
  if (!/node_modules\/remove\.bg\/dist\/index\.js$/.test(filename)) {
    return load(module, filename);
  }
  const source = fs.readFileSync(filename, 'utf8');
  if (source.split(VENDOR).length !== 2) {
    throw new Error('the package no longer names its base URL once');
  }
  module._compile(source.replace(VENDOR, process.env.IMAGESYNC_URL), filename);
};
