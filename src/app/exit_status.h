/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What the program's exit status says; documented in --help and the manual. */
typedef enum ExitStatus {
    EXIT_OK = 0,
    EXIT_SOME_FAILED = 1,  /* some inputs could not be done; the others were. Or stdout failed */
    EXIT_USAGE = 2,        /* the command line or the configuration is wrong; nothing was done */
    EXIT_NO_START = 3,     /* something needed is missing: the model, the address, a folder */
    EXIT_INTERRUPTED = 130 /* Ctrl-C */
} ExitStatus;
