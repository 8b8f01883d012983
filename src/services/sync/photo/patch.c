/* SPDX-License-Identifier: Apache-2.0 */
#include "services/sync/photo/patch.h"

#include "services/sync/photo/photo_state.h"

/* Each says whether the value is one for that member. */
static bool is_name(const json_t *value) {
    const char *text = json_string_value(value);

    return text && text_is_line(str_from(text), PHOTO_NAME_MAX) && !strpbrk(text, "/\\") &&
           strcmp(text, ".") != 0 && strcmp(text, "..") != 0;
}

static bool is_caption(const json_t *value) {
    const char *text = json_string_value(value);

    return text && text_is_lines(str_from(text), PHOTO_CAPTION_MAX);
}

static bool is_bool(const json_t *value) {
    return json_is_boolean(value);
}

static bool is_tag(const json_t *value) {
    const char *text = json_string_value(value);

    return text && text_is_line(str_from(text), PHOTO_TAG_MAX);
}

static bool is_id(const json_t *value) {
    const char *text = json_string_value(value);
    Uuid id;

    return text && uuid_parse(str_from(text), &id) == 0;
}

static bool is_list(const json_t *value, size_t max, bool (*is_one)(const json_t *value)) {
    bool good = json_is_array(value) && json_array_size(value) <= max;

    for (size_t i = 0; good && i < json_array_size(value); i++) {
        good = is_one(json_array_get(value, i));
    }
    return good;
}

static bool is_tags(const json_t *value) {
    return is_list(value, PHOTO_TAGS_MAX, is_tag);
}

static bool is_albums(const json_t *value) {
    return is_list(value, PHOTO_ALBUMS_MAX, is_id);
}

static bool is_captured(const json_t *value) {
    const char *text = json_string_value(value);
    int64_t s;

    return text && local_time_parse(str_from(text), &s) == 0;
}

static bool is_offset(const json_t *value) {
    return json_is_integer(value) && json_integer_value(value) >= -PHOTO_OFFSET_MAX &&
           json_integer_value(value) <= PHOTO_OFFSET_MAX;
}

static const struct Member {
    const char *name;
    bool (*is_good)(const json_t *value);
    bool may_be_null; /* which removes it */
    const char *what;
} members[] = {
    {"name", is_name, false, "1 to 255 bytes without slashes and control characters"},
    {"caption", is_caption, true, "at most 4000 bytes, or null"},
    {"favourite", is_bool, false, "true or false"},
    {"tags", is_tags, false, "at most 100 words of 1 to 100 bytes"},
    {"albums", is_albums, false, "the ids of at most 100 albums"},
    {"captured", is_captured, true, "a local time such as 2026-05-04T12:30:00, or null"},
    {"offset", is_offset, true, "minutes east of UTC from -1080 to 1080, or null"},
    {"edit", is_id, true, "the id of one of the photo's edits, or null"},
    {"trashed", is_bool, false, "true or false"},
};

static const struct Member *member_of(const char *name) {
    for (size_t i = 0; i < ARRAY_LEN(members); i++) {
        if (strcmp(members[i].name, name) == 0) {
            return &members[i];
        }
    }
    return NULL;
}

int patch_check(const json_t *patch, Arena *arena, const char **reterr_detail) {
    const char *name;
    json_t *value;

    if (!json_is_object(patch)) {
        *reterr_detail = "Send a JSON object with the members that change.";
        return PATCH_E_FIELD;
    }
    json_object_foreach((json_t *)patch, name, value) {
        const struct Member *member = member_of(name);
        if (!member) {
            *reterr_detail = arena_printf(arena, "%.100s: no member that can be changed.", name);
            return PATCH_E_FIELD;
        }
        if (!(json_is_null(value) ? member->may_be_null : member->is_good(value))) {
            *reterr_detail = arena_printf(arena, "%s: give %s.", name, member->what);
            return PATCH_E_FIELD;
        }
    }
    return 0;
}

/* Each value once, in the order that they have. */
static json_t *without_doubles(const json_t *list) {
    json_t *once = json_array();

    for (size_t i = 0; i < json_array_size(list); i++) {
        json_t *value = json_array_get(list, i);
        bool known = false;
        for (size_t k = 0; k < json_array_size(once) && !known; k++) {
            known = json_equal(json_array_get(once, k), value);
        }
        if (!known) {
            json_array_append(once, value);
        }
    }
    return once;
}

static void set_trashed(json_t *state, bool trashed, int64_t now_us) {
    if (!trashed) {
        json_object_del(state, "trashed");
    } else if (!json_object_get(state, "trashed")) {
        json_object_set_new(state, "trashed", json_integer(now_us / 1000));
    }
}

void patch_apply(const json_t *patch, int64_t now_us, json_t *state) {
    const char *name;
    json_t *value;

    json_object_foreach((json_t *)patch, name, value) {
        if (strcmp(name, "trashed") == 0) {
            set_trashed(state, json_is_true(value), now_us);
        } else if (json_is_null(value)) {
            json_object_del(state, name);
        } else if (json_is_array(value)) {
            json_object_set_new(state, name, without_doubles(value));
        } else {
            json_object_set(state, name, value);
        }
    }
}
