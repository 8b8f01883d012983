/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* remove.bg's request as a struct, and what its sizes mean. */

#include "services/image/fields.h"
#include "services/image/job.h"

typedef enum RemovebgSize {
    REMOVEBG_SIZE_PREVIEW, /* also "small" and "regular" */
    REMOVEBG_SIZE_MEDIUM,
    REMOVEBG_SIZE_HD,
    REMOVEBG_SIZE_FULL, /* also "4k" */
    REMOVEBG_SIZE_50MP,
    REMOVEBG_SIZE_AUTO, /* the largest that the picture and the balance allow, up to full */
} RemovebgSize;

typedef struct RemovebgTier {
    uint64_t pixels_max, png_pixels_max;
    uint64_t cost; /* hundredths of a credit */
} RemovebgTier;

#define REMOVEBG_INPUT_PIXELS_MAX 50000000u

typedef enum RemovebgTypeLevel {
    REMOVEBG_TYPE_LEVEL_NONE, /* no X-Type */
    REMOVEBG_TYPE_LEVEL_1,
    REMOVEBG_TYPE_LEVEL_2, /* also "latest" */
} RemovebgTypeLevel;

typedef struct RemovebgRequest {
    Recipe recipe;
    RemovebgSize size;
    RemovebgTypeLevel type_level;
} RemovebgRequest;

#define REMOVEBG_REQUEST_INIT                                                                      \
    ((RemovebgRequest){.recipe = RECIPE_INIT,                                                      \
                       .size = REMOVEBG_SIZE_PREVIEW,                                              \
                       .type_level = REMOVEBG_TYPE_LEVEL_1})

/* Everything but the sources. FAILURE_NONE, or what is wrong with the first wrong field. */
Failure removebg_read_fields(const Form *form, RemovebgRequest *request);

/* The tier of a size; for REMOVEBG_SIZE_AUTO the one that fits `pixels` and `available`. */
const RemovebgTier *removebg_tier(RemovebgSize size, uint64_t pixels, uint64_t available);

/* The word for X-Type, or NULL for none. `said` is what the caller said it is. */
const char *removebg_type_word(RemovebgTypeLevel level, RecipeSubject found, RecipeSubject said);

/*
 * Whether JSON is wanted rather than bytes (RFC 9110, section 12.5.1): Accept names
 * application/json with a higher weight than any type of picture or, at the same one, before it.
 * Never when all types are accepted, which HTTP libraries say of themselves. NULL is no header.
 */
bool accepts_json(const char *accept);

/* "1", "0.25": hundredths as a decimal. Returns `text`. */
const char *credits_text(uint64_t hundredths, char text[32]);

/* width x height scaled down to at most `pixels_max`, keeping the shape. */
void fit_pixels(uint32_t width, uint32_t height, uint64_t pixels_max, uint32_t *ret_width,
                uint32_t *ret_height);

/* Answers with the rendered bytes, or as JSON. */
void removebg_reply(ImageJob *job, RenderResult *result);

/* image_file, image_file_b64 and image_url: exactly one. Sets job->image. */
Failure removebg_read_sources(ImageJob *job, const Form *form, const char **reterr_detail);
