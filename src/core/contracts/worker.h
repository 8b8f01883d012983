/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * What the pool says to its two kinds of children and they to it, as packets of base/ipc. A child
 * finds its socket at CHILD_SOCKET and is told its settings by the first packet; it ends when the
 * socket closes.
 *
 * Worker:     > start   < ready   then for each job   > probe    < probed | refused
 *                                                     > ingest   < ingested | refused
 *                                                     > metadata < described | refused
 *                                                     > render   < done | refused, and between
 *                                                                < matte  > matte  at most once
 * Inference:  > start   < model | no_model (of the default)   < ready
 *             > describe   < model | no_model
 *             > infer      < inferred
 */

#include "core/ports/renderer.h"

#define CHILD_SOCKET 3

/* Model names come from outside: letters, digits, '.', '_', '-', not starting with '.'. */
#define MODEL_NAME_MAX 64
bool model_name_valid(const char *name);

/* The shared memory between worker and inference: pixels in, matte out. */
#define TENSOR_SIDE_MAX 4096
typedef struct TensorLayout {
    uint64_t matte_offset; /* after width * height * 3 bytes of RGB, rounded up to 64 */
    uint64_t size;         /* width * height floats later */
} TensorLayout;
/* Sides are 1..TENSOR_SIDE_MAX. */
TensorLayout tensor_layout(uint32_t width, uint32_t height);

typedef enum ChildOp {
    CHILD_START,
    CHILD_READY,
    CHILD_PROBE,
    CHILD_RENDER,
    CHILD_INGEST,
    CHILD_METADATA,
    CHILD_MATTE,
    CHILD_PROBED,
    CHILD_INGESTED,
    CHILD_DESCRIBED,
    CHILD_DONE,
    CHILD_REFUSED,
    CHILD_DESCRIBE,
    CHILD_MODEL,
    CHILD_NO_MODEL,
    CHILD_INFER,
    CHILD_INFERRED,
} ChildOp;

/* What a worker has written into one of the files of an ingest. */
typedef struct ChildFile {
    uint64_t len;
    int format; /* OutputFormat */
    uint32_t width, height;
} ChildFile;

/*
 * One struct for all messages; each op writes and reads its own members (child_message_write() has
 * the list). Descriptors: PROBE and METADATA input; RENDER input, tensor, output and, with
 * has_background, background; INGEST input, mezzanine, thumbnail; INFER tensor. The last three but
 * the tensor are empty memory files that the worker writes, and must not have mapped when it says
 * DONE or INGESTED. Nobody hands a descriptor to the pool.
 */
typedef struct ChildMessage {
    int op; /* ChildOp */
    uint64_t id;

    /* START */
    const char *log_level;
    uint32_t threads;
    uint64_t memory_max;                        /* worker: address space, bytes; 0: no limit */
    const char *models_dir, *model, *cache_dir; /* inference; cache_dir may be NULL */

    /* PROBE, RENDER, INGEST; METADATA has the input alone */
    uint64_t input_offset, input_len;
    bool has_background;
    uint64_t background_offset, background_len;
    uint64_t pixels_max;
    uint32_t side_max, pages_max;
    Recipe recipe;

    /* INGEST */
    RenderIngest ingest;

    /* RENDER, MODEL, INFER; `model` goes with the last two, DESCRIBE and NO_MODEL */
    uint32_t model_width, model_height;

    /* MATTE (to the worker), REFUSED, INFERRED */
    int status; /* RenderStatus */
    const char *detail;
    double inference_ms;

    /* PROBED, DONE, INGESTED */
    ImageInfo info;

    /* DESCRIBED, with `photo` below */
    FilmInfo film;
    RawInfo raw;

    /* INGESTED, with `timings` below */
    PhotoInfo photo;
    uint32_t hash_high, hash_low; /* JSON has no integers of 64 bits without a sign */
    ChildFile mezzanine, thumbnail;

    /* DONE */
    uint64_t output_len;
    int format;  /* OutputFormat */
    int subject; /* RecipeSubject */
    uint32_t width, height;
    Rect foreground;
    uint32_t input_width, input_height;
    double uncertainty;
    RenderTimings timings;
} ChildMessage;

json_t *child_message_write(const ChildMessage *message);
/* 0, or -EBADMSG: an unknown op, or not exactly the members of that op within their bounds. */
int child_message_read(const json_t *json, Arena *arena, ChildMessage *ret_message);
