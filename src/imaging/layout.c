/* SPDX-License-Identifier: Apache-2.0 */
#include "imaging/layout.h"

#include "base/error.h"
#include "imaging/decode.h"

#include <math.h>

/* What lies around the box when it is scaled alone: room for the resampling filter. */
#define BOX_PAD 4

typedef struct Frame {
    int64_t left, top, width, height; /* of the canvas, in the picture; may reach beyond it */
} Frame;

static Frame frame_of(const Recipe *recipe, uint32_t width, uint32_t height, const Rect *box) {
    const Margin *margin = &recipe->crop_margin;
    int64_t left, top, right, bottom;

    if (!recipe->crop) {
        return (Frame){0, 0, width, height};
    }
    left = llround(length_resolve(margin->left, box->width));
    right = llround(length_resolve(margin->right, box->width));
    top = llround(length_resolve(margin->top, box->height));
    bottom = llround(length_resolve(margin->bottom, box->height));
    return (Frame){(int64_t)box->left - left, (int64_t)box->top - top,
                   (int64_t)box->width + left + right, (int64_t)box->height + top + bottom};
}

/* Enlarged, the pad is enlarged too: then less of it will do, and a thin box stays a thin strip. */
static Rect padded(const Rect *box, double scale, uint32_t width, uint32_t height) {
    uint32_t pad = scale > 1 ? MAX((uint32_t)(BOX_PAD / scale), 1U) : BOX_PAD;
    uint32_t left = box->left > pad ? box->left - pad : 0;
    uint32_t top = box->top > pad ? box->top - pad : 0;

    return (Rect){left, top, MIN(box->left + box->width + pad, width) - left,
                  MIN(box->top + box->height + pad, height) - top};
}

Layout layout_plan(const Recipe *recipe, uint32_t width, uint32_t height, const Rect *box,
                   uint64_t pixels_max) {
    Frame frame = frame_of(recipe, width, height, box);
    double area = (double)frame.width * (double)frame.height;
    double limit =
        pixels_max > 0 && area > (double)pixels_max ? sqrt((double)pixels_max / area) : 1;
    Layout layout = {.width = (uint32_t)MAX((double)frame.width * limit, 1.0),
                     .height = (uint32_t)MAX((double)frame.height * limit, 1.0),
                     .from = {0, 0, width, height},
                     .scale = limit,
                     .back_left = (double)frame.left,
                     .back_top = (double)frame.top,
                     .back_scale = 1 / limit};
    double x = recipe->position.x, y = recipe->position.y, left, top;

    if (recipe->scale > 0) {
        layout.scale = recipe->scale *
                       MIN((double)layout.width / box->width, (double)layout.height / box->height);
    }
    if (recipe->scale <= 0 && recipe->position.original) {
        left = -(double)frame.left * limit;
        top = -(double)frame.top * limit;
    } else {
        if (recipe->position.original) {
            x = y = 0.5;
        }
        layout.from = padded(box, layout.scale, width, height);
        left = x * (layout.width - box->width * layout.scale);
        top = y * (layout.height - box->height * layout.scale);
        left -= (box->left - layout.from.left) * layout.scale;
        top -= (box->top - layout.from.top) * layout.scale;
    }
    layout.left = (int32_t)lround(left);
    layout.top = (int32_t)lround(top);
    return layout;
}

static bool is_identity(const Layout *layout, const Picture *picture) {
    return layout->width == picture->width && layout->height == picture->height &&
           layout->left == 0 && layout->top == 0 && layout->scale == 1 &&
           layout->from.width == picture->width && layout->from.height == picture->height;
}

static void blit(const Picture *from, int32_t left, int32_t top, Picture *to) {
    int64_t x0 = MAX(left, 0), x1 = MIN((int64_t)left + from->width, (int64_t)to->width);

    for (int64_t y = MAX(top, 0); y < (int64_t)top + from->height && y < to->height; y++) {
        size_t source = (size_t)(y - top) * from->width + (size_t)(x0 - left);
        size_t target = (size_t)y * to->width + (size_t)x0;
        if (x1 > x0) {
            memcpy(to->rgb + 3 * target, from->rgb + 3 * source, (size_t)(x1 - x0) * 3);
            memcpy(to->alpha + target, from->alpha + source, (size_t)(x1 - x0));
        }
    }
}

int layout_apply(const Layout *layout, Picture *picture) {
    _cleanup_(picture_done) Picture canvas = {.width = layout->width, .height = layout->height};

    if (is_identity(layout, picture)) {
        return 0;
    }
    if (layout->from.width != picture->width || layout->from.height != picture->height) {
        picture_cut(picture, &layout->from);
    }
    if (layout->scale != 1) {
        uint32_t width = (uint32_t)MAX(lround(picture->width * layout->scale), 1);
        uint32_t height = (uint32_t)MAX(lround(picture->height * layout->scale), 1);
        int r = picture_scale(picture, width, height);
        if (r < 0) {
            return err_trace(r);
        }
    }
    canvas.rgb = calloc(picture_pixels(&canvas), 3);
    canvas.alpha = calloc(picture_pixels(&canvas), 1);
    if (!canvas.rgb || !canvas.alpha) {
        return err_trace(-ENOMEM);
    }
    blit(picture, layout->left, layout->top, &canvas);
    picture_done(picture);
    *picture = canvas;
    canvas = PICTURE_INIT;
    return 0;
}
