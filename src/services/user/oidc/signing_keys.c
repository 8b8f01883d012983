/* SPDX-License-Identifier: Apache-2.0 */
#include "services/user/oidc/signing_keys.h"

#include "base/error.h"
#include "base/log.h"

#include <pthread.h>

#define KEYS_MAX   16
#define KEYS_SPARE 4 /* that rotations by hand leave to those in their time */
#define RELOAD_US  (60 * 1000000LL)
#define DAY_US     (86400 * 1000000LL)
#define LEAD_US    (SIGNING_LEAD_S * 1000000LL)
#define RETAIN_US  (SIGNING_RETAIN_S * 1000000LL)
#define SEAL_LABEL str_lit("user_signing_key.sealed")

enum {
    SIGNING_KEY_LIST,
    SIGNING_KEY_ADD,
    SIGNING_KEY_REMOVE,
    _SIGNING_KEY_STATEMENT_MAX,
};

const DbStatement signing_key_statements[_SIGNING_KEY_STATEMENT_MAX] = {
    [SIGNING_KEY_LIST] = {"signing_key_list",
                          "SELECT kid, alg, sealed, signs_from_us FROM user_signing_key "
                          "ORDER BY signs_from_us, kid",
                          0, 4},
    [SIGNING_KEY_ADD] = {"signing_key_add",
                         "INSERT INTO user_signing_key (kid, alg, sealed, created_us, "
                         "signs_from_us) VALUES (?, ?, ?, ?, ?)",
                         5, 0},
    [SIGNING_KEY_REMOVE] = {"signing_key_remove", "DELETE FROM user_signing_key WHERE kid = ?", 1,
                            0},
};
const size_t signing_key_statements_len = _SIGNING_KEY_STATEMENT_MAX;

typedef struct Entry {
    Jwk *jwk;
    int64_t signs_from_us;
} Entry;

/* Sorted by signs_from_us. */
typedef struct Ring {
    Entry entries[KEYS_MAX];
    size_t n;
} Ring;

struct SigningKeys {
    Db *db;
    const Vault *vault;
    int64_t life_us;
    pthread_mutex_t lock; /* of what follows */
    Ring ring;
    int64_t loaded_us;
};

static void ring_done(Ring *ring) {
    for (size_t i = 0; i < ring->n; i++) {
        jwk_unref(ring->entries[i].jwk);
    }
    ring->n = 0;
}

static int ring_add(Ring *ring, Jwk *jwk, int64_t signs_from_us) {
    if (ring->n == KEYS_MAX) {
        return -E2BIG;
    }
    ring->entries[ring->n++] = (Entry){jwk, signs_from_us};
    return 0;
}

typedef struct Turn {
    SigningKeys *keys;
    Arena *arena;
    int64_t now_us;
    Ring ring; /* what is there afterwards */
} Turn;

static int read_ring(DbTx *tx, Turn *turn) {
    DbRows rows;
    int r =
        db_query(tx, &signing_key_statements[SIGNING_KEY_LIST], NULL, KEYS_MAX, turn->arena, &rows);

    if (r != 0) {
        return err_trace(r < 0 ? r : -EIO);
    }
    ring_done(&turn->ring);
    for (size_t i = 0; i < rows.n_rows; i++) {
        const DbValue *row = db_rows_at(&rows, i, 0);
        Jwk *jwk;
        r = jwk_open(row[2].bytes, vault_service_key(turn->keys->vault)->bytes, SEAL_LABEL, &jwk);
        if (r != 0) {
            return err_trace(r < 0 ? r : -EBADMSG);
        }
        if (!str_equal(row[0].bytes, str_from(jwk_kid(jwk))) ||
            (int64_t)jwk_alg(jwk) != row[1].integer) {
            jwk_unref(jwk);
            return err_trace(-EBADMSG); /* a row that was tampered with */
        }
        r = ring_add(&turn->ring, jwk, row[3].integer);
        if (r < 0) {
            jwk_unref(jwk);
            return err_trace(r);
        }
    }
    return 0;
}

static int make_key(DbTx *tx, Turn *turn, JwkAlg alg, int64_t signs_from_us) {
    _cleanup_(buf_done) Buf sealed = BUF_INIT;
    Jwk *jwk;
    int r = jwk_generate(alg, &jwk);

    if (r < 0) {
        return err_trace(r);
    }
    r = ring_add(&turn->ring, jwk, signs_from_us);
    if (r < 0) {
        jwk_unref(jwk);
        return err_trace(r);
    }
    r = jwk_seal(jwk, vault_service_key(turn->keys->vault)->bytes, SEAL_LABEL, &sealed);
    if (r == 0) {
        r = db_exec(tx, &signing_key_statements[SIGNING_KEY_ADD],
                    (DbValue[]){DB_TEXT(str_from(jwk_kid(jwk))), DB_INT(alg),
                                DB_BLOB(buf_str(&sealed)), DB_INT(turn->now_us),
                                DB_INT(signs_from_us)},
                    NULL);
    }
    return r == 0 ? 0 : err_trace(r < 0 ? r : -EIO);
}

static int remove_key(DbTx *tx, Ring *ring, size_t at) {
    Jwk *jwk = ring->entries[at].jwk;
    int r = db_exec(tx, &signing_key_statements[SIGNING_KEY_REMOVE],
                    (DbValue[]){DB_TEXT(str_from(jwk_kid(jwk)))}, NULL);

    if (r != 0) {
        return err_trace(r < 0 ? r : -EIO);
    }
    jwk_unref(jwk);
    memmove(&ring->entries[at], &ring->entries[at + 1],
            (ring->n - at - 1) * sizeof(ring->entries[0]));
    ring->n--;
    return 0;
}

/* One algorithm's due: the first key, the next one, and the ones whose time is over. */
static int turn_algorithm(DbTx *tx, Turn *turn, JwkAlg alg) {
    int64_t next_us = INT64_MAX; /* when the key after this one begins */
    int64_t last_us = 0;
    int r;

    for (size_t i = turn->ring.n; i-- > 0;) {
        const Entry *entry = &turn->ring.entries[i];
        int64_t from_us = entry->signs_from_us;
        if (jwk_alg(entry->jwk) != alg) {
            continue;
        }
        last_us = MAX(last_us, from_us);
        if (next_us < turn->now_us - RETAIN_US && (r = remove_key(tx, &turn->ring, i)) < 0) {
            return err_trace(r);
        }
        next_us = from_us;
    }
    if (last_us == 0) {
        return make_key(tx, turn, alg, turn->now_us);
    }
    if (last_us + turn->keys->life_us - LEAD_US <= turn->now_us) {
        /* In its time, or, after a long sleep, as soon as it has been published for long enough. */
        return make_key(tx, turn, alg, MAX(last_us + turn->keys->life_us, turn->now_us + LEAD_US));
    }
    return 0;
}

static int turn_keys(DbTx *tx, void *userdata) {
    Turn *turn = userdata;
    int r = read_ring(tx, turn);

    if (r == 0) {
        r = turn_algorithm(tx, turn, JWK_ALG_ES256);
    }
    if (r == 0) {
        r = turn_algorithm(tx, turn, JWK_ALG_EDDSA);
    }
    return r < 0 ? err_trace(r) : 0;
}

static bool ring_is_same(const Ring *a, const Ring *b) {
    for (size_t i = 0; a->n == b->n && i < a->n; i++) {
        if (strcmp(jwk_kid(a->entries[i].jwk), jwk_kid(b->entries[i].jwk)) != 0) {
            return false;
        }
    }
    return a->n == b->n;
}

static int load(SigningKeys *keys, int64_t now_us, bool *ret_changed) {
    _cleanup_(arena_freep) Arena *arena = arena_new();
    Turn turn = {.keys = keys, .arena = arena, .now_us = now_us};
    int r = db_write(keys->db, turn_keys, &turn, NULL);

    if (r != 0) {
        ring_done(&turn.ring);
        return err_trace(r < 0 ? r : -EIO);
    }
    pthread_mutex_lock(&keys->lock);
    Ring old = keys->ring;
    keys->ring = turn.ring;
    pthread_mutex_unlock(&keys->lock);
    *ret_changed = !ring_is_same(&old, &turn.ring);
    ring_done(&old);
    return 0;
}

int signing_keys_new(Db *db, const Vault *vault, uint64_t days, int64_t now_us,
                     SigningKeys **ret_keys) {
    SigningKeys *keys = calloc(1, sizeof(*keys));
    bool changed;
    int r;

    if (!keys) {
        abort();
    }
    *keys = (SigningKeys){
        .db = db, .vault = vault, .life_us = (int64_t)days * DAY_US, .loaded_us = now_us};
    pthread_mutex_init(&keys->lock, NULL);
    r = load(keys, now_us, &changed);
    if (r < 0) {
        signing_keys_free(keys);
        return err_trace(r);
    }
    *ret_keys = keys;
    return 0;
}

SigningKeys *signing_keys_free(SigningKeys *keys) {
    if (keys) {
        ring_done(&keys->ring);
        pthread_mutex_destroy(&keys->lock);
        free(keys);
    }
    return NULL;
}

int signing_keys_refresh(SigningKeys *keys, int64_t now_us, AccessVerifier *verifier) {
    bool due, changed = false;
    int r;

    pthread_mutex_lock(&keys->lock);
    due = now_us - keys->loaded_us > RELOAD_US;
    if (due) {
        keys->loaded_us = now_us; /* one thread does it */
    }
    pthread_mutex_unlock(&keys->lock);
    if (!due) {
        return 0;
    }
    r = load(keys, now_us, &changed);
    if (r < 0) {
        log_error("signing keys not read", LOG_STR("error", strerror(-r)));
        return err_trace(r);
    }
    if (changed) {
        log_info("signing keys changed");
        access_verifier_set_keys(verifier, signing_keys_set(keys));
    }
    return 0;
}

void signing_keys_reload(SigningKeys *keys) {
    pthread_mutex_lock(&keys->lock);
    keys->loaded_us = 0;
    pthread_mutex_unlock(&keys->lock);
}

static int rotate(DbTx *tx, void *userdata) {
    static const JwkAlg algs[] = {JWK_ALG_ES256, JWK_ALG_EDDSA};
    Turn *turn = userdata;
    int r = read_ring(tx, turn);

    if (r == 0 && turn->ring.n + ARRAY_LEN(algs) > KEYS_MAX - KEYS_SPARE) {
        return SIGNING_KEYS_E_FULL;
    }
    for (size_t i = 0; i < ARRAY_LEN(algs) && r == 0; i++) {
        r = make_key(tx, turn, algs[i], turn->now_us + SIGNING_ROTATE_S * 1000000LL);
    }
    return r < 0 ? err_trace(r) : 0;
}

int signing_keys_rotate(Db *db, const Vault *vault, int64_t now_us, int64_t *ret_signs_from_us) {
    _cleanup_(arena_freep) Arena *arena = arena_new();
    SigningKeys keys = {.db = db, .vault = vault};
    Turn turn = {.keys = &keys, .arena = arena, .now_us = now_us};
    int r = db_write(db, rotate, &turn, NULL);

    ring_done(&turn.ring);
    if (r == 0) {
        *ret_signs_from_us = now_us + SIGNING_ROTATE_S * 1000000LL;
    }
    return r < 0 ? err_trace(r) : r;
}

Jwk *signing_keys_current(SigningKeys *keys, JwkAlg alg, int64_t now_us) {
    Jwk *current = NULL;

    pthread_mutex_lock(&keys->lock);
    for (size_t i = 0; i < keys->ring.n; i++) {
        const Entry *entry = &keys->ring.entries[i];
        /* The first one serves even when the clock was set back. */
        if (jwk_alg(entry->jwk) == alg && (!current || entry->signs_from_us <= now_us)) {
            current = entry->jwk;
        }
    }
    current = jwk_ref(current); /* there is one of each, since the start */
    pthread_mutex_unlock(&keys->lock);
    return current;
}

Jwks *signing_keys_set(SigningKeys *keys) {
    Jwks *set = jwks_new();

    pthread_mutex_lock(&keys->lock);
    for (size_t i = 0; i < keys->ring.n; i++) {
        if (jwks_add(set, keys->ring.entries[i].jwk) != 0) {
            abort(); /* they are few, and their kids differ */
        }
    }
    pthread_mutex_unlock(&keys->lock);
    return set;
}

json_t *signing_keys_public(SigningKeys *keys) {
    _cleanup_(jwks_freep) Jwks *set = signing_keys_set(keys);

    return jwks_write(set);
}
