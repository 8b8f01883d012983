/* SPDX-License-Identifier: Apache-2.0 */
#include "base/config.h"

#include "base/error.h"
#include "base/fd.h"

#include <assert.h>
#include <ctype.h>
#include <fcntl.h>
#include <unistd.h>

#define ENVIRONMENT_PREFIX "IMAGESYNC_"
/* No setting: a credential for one command, which no list of settings is to show. */
#define ENVIRONMENT_TOKEN "IMAGESYNC_TOKEN"
#define NAME_LEN_MAX      64
#define FILE_SIZE_MAX     ((size_t)1 << 20)

/* A field together with the struct it fills. */
typedef struct Slot {
    const ConfigField *field;
    const char *title; /* of its group, for the first field of one; else NULL */
    void *target;
    const char *source; /* NULL: never set */
} Slot;

struct Config {
    Arena *arena; /* holds every string that a target points to */
    Slot *slots;
    size_t n_slots;
    const char *error;
};

Config *config_new(const ConfigGroup *groups, size_t n_groups) {
    Arena *arena = arena_new();
    Config *config = arena_alloc(arena, sizeof(*config));
    size_t n = 0;

    for (size_t i = 0; i < n_groups; i++) {
        for (const ConfigField *field = groups[i].fields; field->name; field++) {
            n++;
        }
    }
    config->arena = arena;
    config->slots = arena_alloc(arena, n * sizeof(*config->slots));
    for (size_t i = 0; i < n_groups; i++) {
        const char *title = groups[i].title;
        for (const ConfigField *field = groups[i].fields; field->name; field++) {
            assert(!config_find(config, field->name));
            config->slots[config->n_slots++] =
                (Slot){.field = field, .title = title, .target = groups[i].target};
            title = NULL;
        }
    }
    return config;
}

Config *config_free(Config *config) {
    if (config) {
        arena_free(config->arena);
    }
    return NULL;
}

const char *config_error(const Config *config) {
    return config->error ? config->error : "";
}

static Slot *find_slot(const Config *config, const char *name) {
    for (size_t i = 0; i < config->n_slots; i++) {
        if (strcmp(config->slots[i].field->name, name) == 0) {
            return &config->slots[i];
        }
    }
    return NULL;
}

const ConfigField *config_find(const Config *config, const char *name) {
    const Slot *slot = find_slot(config, name);
    return slot ? slot->field : NULL;
}

/* Levenshtein distance; both names at most NAME_LEN_MAX long. */
static size_t edit_distance(const char *a, const char *b) {
    size_t row[NAME_LEN_MAX + 1];
    size_t len = strlen(b);

    for (size_t j = 0; j <= len; j++) {
        row[j] = j;
    }
    for (size_t i = 1; *a; i++, a++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= len; j++) {
            size_t changed = diagonal + (*a != b[j - 1]);
            diagonal = row[j];
            row[j] = MIN(changed, MIN(row[j], row[j - 1]) + 1);
        }
    }
    return row[len];
}

const char *config_nearest(const Config *config, const char *name) {
    const char *nearest = NULL;
    /* Farther than this is another word, and a wrong suggestion is worse than none. */
    size_t least = strlen(name) / 3 + 2;

    if (strlen(name) > NAME_LEN_MAX) {
        return NULL;
    }
    for (size_t i = 0; i < config->n_slots; i++) {
        const char *candidate = config->slots[i].field->name;
        size_t distance = edit_distance(name, candidate);
        if (distance < least) {
            least = distance;
            nearest = candidate;
        }
    }
    return nearest;
}

static int unknown_name(Config *config, const char *name, const char *source) {
    const char *nearest = config_nearest(config, name);

    config->error =
        nearest
            ? arena_printf(config->arena, "%s: there is no setting \"%.64s\"; did you mean \"%s\"?",
                           source, name, nearest)
            : arena_printf(config->arena,
                           "%s: there is no setting \"%.64s\"; `imagesync config` lists all.",
                           source, name);
    return -EINVAL;
}

static int parse_bool(Str text, bool *ret_value) {
    static const char *const words[] = {"no", "yes", "false", "true", "off", "on", "0", "1"};

    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        if (str_equal_nocase(text, str_from(words[i]))) {
            *ret_value = i % 2 == 1;
            return 0;
        }
    }
    return -EINVAL;
}

/* "512", or with the field's unit "512 MiB". */
static int parse_u64(const ConfigField *field, Str text, uint64_t *ret_value) {
    uint64_t value;
    int r;

    if (field->unit && str_ends_with(text, str_from(field->unit))) {
        text = str_trim((Str){text.ptr, text.len - strlen(field->unit)});
    }
    r = str_to_u64(text, &value);
    if (r < 0) {
        return r;
    }
    if (value < field->min || value > field->max) {
        return -ERANGE;
    }
    *ret_value = value;
    return 0;
}

static const char *expectation(Arena *arena, const ConfigField *field) {
    unsigned long long min = field->min, max = field->max;

    switch (field->type) {
    case CONFIG_BOOL:
        return "yes or no";
    case CONFIG_U64:
        return arena_printf(arena, "a whole number from %llu to %llu%s%s", min, max,
                            field->unit ? " " : "", field->unit ? field->unit : "");
    default:
        return arena_printf(arena, "%llu to %llu characters long", min, max);
    }
}

static int parse_into(Config *config, const Slot *slot, const char *value) {
    const ConfigField *field = slot->field;
    void *at = (char *)slot->target + field->offset;
    Str text = str_trim(str_from(value));

    switch (field->type) {
    case CONFIG_U64:
        return parse_u64(field, text, at);
    case CONFIG_BOOL:
        return parse_bool(text, at);
    case CONFIG_STR:
    case CONFIG_SECRET:
        if (field->max > 0 && (text.len < field->min || text.len > field->max)) {
            return -ERANGE;
        }
        *(const char **)at = arena_strdup(config->arena, text);
        return 0;
    }
    return -EINVAL;
}

int config_set(Config *config, const char *name, const char *value, const char *source) {
    Slot *slot = find_slot(config, name);

    if (!slot) {
        return unknown_name(config, name, source);
    }
    if (parse_into(config, slot, value) < 0) {
        const char *expected = expectation(config->arena, slot->field);
        config->error =
            slot->field->type == CONFIG_SECRET
                ? arena_printf(config->arena, "%s: \"%s\" must be %s.", source, name, expected)
                : arena_printf(config->arena, "%s: \"%s\" must be %s, not \"%.100s\".", source,
                               name, expected, value);
        return -EINVAL;
    }
    slot->source = arena_strdup(config->arena, str_from(source));
    return 0;
}

int config_load_defaults(Config *config) {
    for (size_t i = 0; i < config->n_slots; i++) {
        const ConfigField *field = config->slots[i].field;
        if (field->fallback) {
            int r = config_set(config, field->name, field->fallback, "default");
            if (r < 0) {
                return r;
            }
        }
    }
    return 0;
}

static int load_line(Config *config, const char *path, size_t number, Str line) {
    const char *source = arena_printf(config->arena, "%s:%zu", path, number);
    Str name = {0}, value = line;

    line = str_trim(line);
    if (line.len == 0 || line.ptr[0] == '#') {
        return 0;
    }
    /* The line itself stays out of the message: it may hold a secret. */
    if (!str_next_token(&value, "=", &name) || !value.ptr || memchr(line.ptr, '\0', line.len)) {
        config->error = arena_printf(config->arena,
                                     "%s: expected a line of the form \"name = value\", or a "
                                     "comment that begins with #.",
                                     source);
        return -EINVAL;
    }
    return config_set(config, arena_strdup(config->arena, str_trim(name)),
                      arena_strdup(config->arena, str_trim(value)), source);
}

int config_load_file(Config *config, const char *path) {
    _cleanup_(fd_closep) int fd = open(path, O_RDONLY | O_CLOEXEC);
    _cleanup_(buf_done) Buf text = BUF_INIT;
    Str rest, line;
    int r = fd < 0 ? err_errno() : fd_read_to_end(fd, FILE_SIZE_MAX, &text);

    if (r < 0) {
        config->error =
            arena_printf(config->arena, "The configuration file %s cannot be read: %s.", path,
                         r == -EFBIG ? "it is longer than 1 MiB" : strerrordesc_np(-r));
        return -EINVAL;
    }
    rest = buf_str(&text);
    for (size_t number = 1; str_next_token(&rest, "\n", &line); number++) {
        r = load_line(config, path, number, line);
        if (r < 0) {
            return r;
        }
    }
    return 0;
}

int config_load_environment(Config *config) {
    for (char **variable = environ; variable && *variable; variable++) {
        Str value = str_from(*variable), source;
        char *name;
        int r;

        if (!str_starts_with(value, str_lit(ENVIRONMENT_PREFIX)) ||
            !str_next_token(&value, "=", &source) || !value.ptr ||
            str_equal(source, str_lit(ENVIRONMENT_TOKEN))) {
            continue;
        }
        name = arena_strdup(config->arena, (Str){source.ptr + strlen(ENVIRONMENT_PREFIX),
                                                 source.len - strlen(ENVIRONMENT_PREFIX)});
        for (char *c = name; *c; c++) {
            *c = (char)(*c == '_' ? '-' : tolower((unsigned char)*c));
        }
        r = config_set(config, name, value.ptr, arena_strdup(config->arena, source));
        if (r < 0) {
            return r;
        }
    }
    return 0;
}

const char *config_shown(Arena *arena, const char *text) {
    const char *scheme = strstr(text, "://"), *at = scheme ? strrchr(scheme, '@') : NULL;

    return at ? arena_printf(arena, "%.*s(hidden)%s", (int)(scheme + 3 - text), text, at) : text;
}

/* One line, whatever the value holds. */
static const char *shown_value(Arena *arena, const Slot *slot) {
    const ConfigField *field = slot->field;
    const void *at = (const char *)slot->target + field->offset;
    const char *text;
    char *copy;

    switch (field->type) {
    case CONFIG_U64:
        return arena_printf(arena, "%llu%s%s", (unsigned long long)*(const uint64_t *)at,
                            field->unit ? " " : "", field->unit ? field->unit : "");
    case CONFIG_BOOL:
        return *(const bool *)at ? "yes" : "no";
    default:
        break;
    }
    text = *(const char *const *)at;
    if (!text || !*text) {
        return "(not set)";
    }
    if (field->type == CONFIG_SECRET) {
        return "(set)";
    }
    copy = arena_strdup(arena, str_from(config_shown(arena, text)));
    for (char *c = copy; *c; c++) {
        if (iscntrl((unsigned char)*c)) {
            *c = '?';
        }
    }
    return copy;
}

void config_print(const Config *config, Buf *out) {
    _cleanup_(arena_freep) Arena *arena = arena_new();
    int name_width = 0, value_width = 0, source_width = 0;

    for (size_t i = 0; i < config->n_slots; i++) {
        const Slot *slot = &config->slots[i];
        name_width = MAX(name_width, (int)strlen(slot->field->name));
        value_width = MAX(value_width, (int)MIN(strlen(shown_value(arena, slot)), (size_t)40));
        source_width = MAX(source_width, (int)strlen(slot->source ? slot->source : ""));
    }
    for (size_t i = 0; i < config->n_slots; i++) {
        const Slot *slot = &config->slots[i];
        if (slot->title) {
            buf_addf(out, "%s%s\n", i > 0 ? "\n" : "", slot->title);
        }
        buf_addf(out, "  %-*s  %-*s  %-*s  %s\n", name_width, slot->field->name, value_width,
                 shown_value(arena, slot), source_width, slot->source ? slot->source : "",
                 slot->field->help);
    }
}
