/* SPDX-License-Identifier: Apache-2.0 */
#include "services/sync/photo/filter.h"

#include "services/sync/change.h"
#include "services/sync/photo/photo_state.h"
#include "services/sync/photo/words.h"

#define DAY_S     86400
#define ZONE_US   (18LL * 3600 * 1000000) /* as far as a local time is off UTC */
#define TEXT_MAX  1000
#define SECOND_US 1000000LL

static SyncFailure wrong(SyncCall *call, const char *detail) {
    call->detail = detail;
    return SYNC_FAILURE_INVALID_FIELD;
}

static void add(SyncCall *call, Filter *filter, TermKind kind, Str value) {
    if (filter->n_terms < FILTER_TERMS_MAX) {
        filter->terms[filter->n_terms++] = term_of(&call->key, filter->query.trashed, kind, value);
    }
}

static SyncFailure read_flag(SyncCall *call, const char *name, bool *ret_flag) {
    const char *text = http_request_query(call->request, name);

    if (text && strcmp(text, "true") != 0 && strcmp(text, "false") != 0) {
        return wrong(call, arena_printf(call->arena, "%s: give true or false.", name));
    }
    *ret_flag = text && strcmp(text, "true") == 0;
    return SYNC_FAILURE_NONE;
}

/* "2026-05-04", the whole day, or "2026-05-04T12:30:00". */
static SyncFailure read_time(SyncCall *call, const char *name, bool is_end, int64_t *ret_s) {
    const char *text = http_request_query(call->request, name);
    bool is_day;
    int64_t s;

    if (!text) {
        *ret_s = is_end ? INT64_MAX : INT64_MIN;
        return SYNC_FAILURE_NONE;
    }
    is_day = strlen(text) == strlen("2026-05-04");
    if (local_time_parse(str_from(is_day ? arena_printf(call->arena, "%sT00:00:00", text) : text),
                         &s) < 0) {
        return wrong(
            call, arena_printf(call->arena, "%s: give 2026-05-04 or 2026-05-04T12:30:00.", name));
    }
    *ret_s = s + (is_day && is_end ? DAY_S - 1 : 0);
    return SYNC_FAILURE_NONE;
}

static SyncFailure read_range(SyncCall *call, Filter *filter) {
    SyncFailure failure = read_time(call, "from", false, &filter->from_s);

    if (failure == SYNC_FAILURE_NONE) {
        failure = read_time(call, "to", true, &filter->to_s);
    }
    if (failure == SYNC_FAILURE_NONE) {
        filter->query.until.sort_us =
            filter->from_s == INT64_MIN ? INT64_MIN : filter->from_s * SECOND_US - ZONE_US;
        filter->query.to_us =
            filter->to_s == INT64_MAX ? INT64_MAX : filter->to_s * SECOND_US + SECOND_US + ZONE_US;
    }
    return failure;
}

SyncFailure filter_read_cursor(SyncCall *call, PhotoPlace *ret_place) {
    const char *text = http_request_query(call->request, "after");
    Str rest = str_from(text), number;
    bool negative;
    uint64_t value;

    ret_place->sort_us = INT64_MAX;
    memset(ret_place->id.bytes, 0xFF, sizeof(ret_place->id.bytes));
    if (!text) {
        return SYNC_FAILURE_NONE;
    }
    negative = str_starts_with(rest, str_lit("-"));
    rest = negative ? (Str){rest.ptr + 1, rest.len - 1} : rest;
    if (!str_next_token(&rest, "_", &number) || str_to_u64(number, &value) < 0 ||
        value > INT64_MAX || uuid_parse(rest, &ret_place->id) < 0) {
        return wrong(call, "after: give what next was.");
    }
    ret_place->sort_us = negative ? -(int64_t)value : (int64_t)value;
    return SYNC_FAILURE_NONE;
}

const char *filter_cursor(const PhotoPlace *place, Arena *arena) {
    char id[UUID_TEXT_SIZE];

    uuid_text(&place->id, id);
    return arena_printf(arena, "%lld_%s", (long long)place->sort_us, id);
}

static SyncFailure read_words(SyncCall *call, Filter *filter) {
    const char *text = http_request_query(call->request, "text");
    Str rest = words_fold(str_from(text), call->arena), word;

    if (!text) {
        return SYNC_FAILURE_NONE;
    }
    if (strlen(text) > TEXT_MAX) {
        return wrong(call, "text: give at most 1000 bytes.");
    }
    filter->nothing = filter->nothing || rest.len == 0;
    while (words_next(&rest, &word)) {
        /* No longer beginnings are kept, but for whole words. */
        add(call, filter, TERM_WORD, word);
    }
    return SYNC_FAILURE_NONE;
}

/* What is compared as one word. */
static void read_folded(SyncCall *call, Filter *filter, const char *name, TermKind kind) {
    const char *text = http_request_query(call->request, name);

    if (text) {
        Str folded = words_fold(str_from(text), call->arena);
        filter->nothing = filter->nothing || folded.len == 0;
        add(call, filter, kind, folded);
    }
}

static SyncFailure read_album(SyncCall *call, Filter *filter) {
    const char *text = http_request_query(call->request, "album");
    Uuid id;

    if (text && uuid_parse(str_from(text), &id) < 0) {
        return wrong(call, "album: give an album's id.");
    }
    if (text) {
        add(call, filter, TERM_ALBUM, uuid_str(&id));
    }
    return SYNC_FAILURE_NONE;
}

/* In the order of how few photos each is likely to leave: the first is the one that is walked. */
static SyncFailure read_terms(SyncCall *call, Filter *filter) {
    bool favourite = false;
    SyncFailure failure = read_album(call, filter);

    if (failure == SYNC_FAILURE_NONE) {
        read_folded(call, filter, "tag", TERM_TAG);
        failure = read_words(call, filter);
    }
    if (failure == SYNC_FAILURE_NONE) {
        failure = read_flag(call, "favourite", &favourite);
    }
    if (failure == SYNC_FAILURE_NONE) {
        if (favourite) {
            add(call, filter, TERM_FAVOURITE, (Str){0});
        }
        read_folded(call, filter, "camera", TERM_CAMERA);
    }
    return failure;
}

SyncFailure filter_read(SyncCall *call, Filter *ret_filter) {
    Filter *filter = ret_filter;
    uint64_t limit;
    SyncFailure failure =
        change_query_number(call, "limit", 1, FILTER_LIMIT_MAX, FILTER_LIMIT_DEFAULT, &limit);

    *filter = (Filter){.limit = (size_t)limit};
    if (failure == SYNC_FAILURE_NONE) {
        failure = read_flag(call, "trashed", &filter->query.trashed);
    }
    if (failure == SYNC_FAILURE_NONE) {
        failure = filter_read_cursor(call, &filter->query.after);
    }
    if (failure == SYNC_FAILURE_NONE) {
        failure = read_range(call, filter);
    }
    if (failure == SYNC_FAILURE_NONE) {
        failure = read_terms(call, filter);
    }
    filter->query.n_terms = MIN(filter->n_terms, (size_t)PHOTO_QUERY_TERMS);
    memcpy(filter->query.terms, filter->terms, filter->query.n_terms * sizeof(int64_t));
    return failure;
}

bool filter_takes(const Filter *filter, const Library *library, const json_t *state) {
    int64_t local_s = photo_local_s(state);
    Terms terms;

    if (local_s < filter->from_s || local_s > filter->to_s) {
        return false;
    }
    if (filter->n_terms > PHOTO_QUERY_TERMS) {
        terms_of_photo(library, state, &terms);
        for (size_t i = PHOTO_QUERY_TERMS; i < filter->n_terms; i++) {
            if (!terms_have(&terms, filter->terms[i])) {
                return false;
            }
        }
    }
    return true;
}
