/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Models: what a manifest says of one, and the running network. */

#include "base/json.h"

typedef enum ModelRange {
    MODEL_RANGE_UNIT,    /* the output is already 0..1 */
    MODEL_RANGE_SIGMOID, /* logits */
    MODEL_RANGE_MINMAX,  /* stretched so that its least is 0 and its greatest 1, as rembg does, but
                            left alone when nothing in it reaches 0.5: there is no subject then */
} ModelRange;

/* The manifest that lies beside a prepared model; models/README.md tells each field. */
typedef struct ModelManifest {
    const char *name, *title, *licence, *precision;
    const char *directory;   /* where manifest.json was found */
    const char *file;        /* model.xml or an .onnx, in `directory` */
    uint32_t width, height;  /* input, pixels */
    float mean[3], scale[3]; /* (value - mean) / scale, values 0..255, RGB */
    uint32_t output;         /* index of the matte among the network's outputs */
    ModelRange range;
} ModelManifest;

/* Strings live in `arena`. 0, -ENOENT (no such model), -EINVAL with *reterr_where. */
int model_manifest_load(const char *models_dir, const char *name, Arena *arena,
                        ModelManifest *ret_manifest, const char **reterr_where);

/* Compares the files with the checksums in the manifest. 0, or -EBADMSG with the file at fault. */
int model_manifest_verify(const ModelManifest *manifest, const char **reterr_where);

typedef struct Model Model;

typedef struct ModelOptions {
    unsigned threads;      /* 0: as many as processors */
    const char *cache_dir; /* compiled blobs; NULL: none */
    const char *device;    /* "CPU" */
} ModelOptions;

/* Loads and compiles. The error text of the runtime goes to the log at debug. */
int model_open(const ModelManifest *manifest, const ModelOptions *options, Model **ret_model);
Model *model_close(Model *model);
DEFINE_CLEANUP(Model *, model_close)

/*
 * One picture: rgb is height x width x 3 bytes, ret_matte height x width floats in 0..1, multiples
 * of 1/255. Both are used in place. Not thread-safe: one call at a time per Model.
 */
int model_run(Model *model, const uint8_t *rgb, float *ret_matte);
