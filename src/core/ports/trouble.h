/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * What an operator has to mend before a server can be used again: its certificate is not trusted,
 * it refuses the password. An adapter that goes on trying finds it out; it is told once when it
 * begins or becomes another, and once when it is over. Thread-safe.
 */

#include <stdatomic.h>
#include <stddef.h>

/* `reason` is a sentence without secrets that says what to do; NULL: it is over. On any thread. */
typedef void TroubleFn(const char *server, const char *reason);

typedef struct Trouble {
    const char *server; /* what it is called: "redis" */
    TroubleFn *tell;    /* NULL: nobody wants to know */
    _Atomic(const char *) told;
} Trouble;

/* `reason` is static, as sentences are told apart by where they are; NULL: the server is usable. */
static inline void trouble_set(Trouble *trouble, const char *reason) {
    if (atomic_exchange(&trouble->told, reason) != reason && trouble->tell) {
        trouble->tell(trouble->server, reason);
    }
}
