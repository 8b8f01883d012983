/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The roles that need heavy libraries live in modules beside the binary, so that a decode worker
 * does not carry the model runtime, the inference process no picture codecs, and the server
 * neither. docs/decisions/0002-processes.md has the figures.
 */

/* The one symbol of such a module; returns an exit status. */
__attribute__((visibility("default"))) int role_module_main(int argc, char **argv);
