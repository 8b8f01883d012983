/* SPDX-License-Identifier: Apache-2.0 */
#include "services/image/removebg.h"

#include "base/fd.h"

#include <inttypes.h>

/* The q of "image/png;q=0.5" once its type was cut off; 1 when there is none. */
static double weight_of(Str parameters) {
    Str parameter;

    while (str_next_token(&parameters, ";", &parameter)) {
        double weight;
        parameter = str_trim(parameter);
        if (str_starts_with(parameter, str_lit("q=")) &&
            str_to_double((Str){parameter.ptr + 2, parameter.len - 2}, &weight) == 0) {
            return weight;
        }
    }
    return 1;
}

static bool is_file_range(Str range) {
    return str_starts_with(range, str_lit("image/")) ||
           str_equal_nocase(range, str_lit("application/zip")) ||
           str_equal_nocase(range, str_lit("application/octet-stream"));
}

bool accepts_json(const char *accept) {
    Str rest = str_from(accept), item;
    double json = 0, file = 0;
    bool json_first = true;

    while (str_next_token(&rest, ",", &item)) {
        Str range;
        if (!str_next_token(&item, ";", &range)) {
            continue;
        }
        range = str_trim(range);
        if (str_equal(range, str_lit("*/*"))) {
            return false;
        }
        if (str_equal_nocase(range, str_lit("application/json"))) {
            json = MAX(json, weight_of(item));
        } else if (is_file_range(range)) {
            json_first &= json > 0;
            file = MAX(file, weight_of(item));
        }
    }
    return json > file || (json > 0 && json == file && json_first);
}

const char *credits_text(uint64_t hundredths, char text[32]) {
    unsigned fraction = hundredths % CREDIT;
    int len = snprintf(text, 32, "%" PRIu64, hundredths / CREDIT);

    if (fraction > 0) {
        len += snprintf(text + len, 32 - (size_t)len, ".%02u", fraction);
        if (text[len - 1] == '0') {
            text[len - 1] = '\0';
        }
    }
    return text;
}

static void add_headers(const ImageJob *job, const RenderResult *result, HeaderList *list) {
    const RemovebgRequest *request = job->api_data;
    const Rect *box = &result->foreground;
    bool png = result->format == OUTPUT_FORMAT_PNG;
    const RemovebgTier *largest = removebg_tier(REMOVEBG_SIZE_50MP, 0, 0);
    uint32_t max_width, max_height;
    const char *type =
        removebg_type_word(request->type_level, result->subject, request->recipe.subject);
    char credits[32];

    fit_pixels(job->info.width, job->info.height,
               png ? largest->png_pixels_max : largest->pixels_max, &max_width, &max_height);
    header_add(list, job->arena, "X-Credits-Charged", "%s", credits_text(job->cost, credits));
    header_add(list, job->arena, "X-Width", "%u", result->width);
    header_add(list, job->arena, "X-Height", "%u", result->height);
    header_add(list, job->arena, "X-Max-Width", "%u", max_width);
    header_add(list, job->arena, "X-Max-Height", "%u", max_height);
    header_add(list, job->arena, "X-Foreground-Top", "%u", box->top);
    header_add(list, job->arena, "X-Foreground-Left", "%u", box->left);
    header_add(list, job->arena, "X-Foreground-Width", "%u", box->width);
    header_add(list, job->arena, "X-Foreground-Height", "%u", box->height);
    if (type) {
        header_add(list, job->arena, "X-Type", "%s", type);
    }
    image_job_rate_headers(job, list);
}

static int json_body(const RenderResult *result, Buf *out) {
    _cleanup_(map_done) Map map = MAP_INIT;
    const Rect *box = &result->foreground;
    int r = map_range(result->output_fd, 0, result->output_len, &map);

    if (r < 0) {
        return r;
    }
    buf_add_str(out, str_lit("{\"data\":{\"result_b64\":\""));
    base64_encode((Str){map.data, map.len}, out);
    buf_addf(out,
             "\",\"foreground_top\":%u,\"foreground_left\":%u,\"foreground_width\":%u,"
             "\"foreground_height\":%u}}",
             box->top, box->left, box->width, box->height);
    return 0;
}

void removebg_reply(ImageJob *job, RenderResult *result) {
    _cleanup_(buf_done) Buf body = BUF_INIT;
    HeaderList headers = {0};
    HttpResponse response = {.status = 200};

    add_headers(job, result, &headers);
    response.headers = headers.items;
    if (accepts_json(http_request_header(job->request, "Accept"))) {
        if (json_body(result, &body) < 0) {
            image_job_fail(job, FAILURE_INTERNAL, NULL);
            return;
        }
        response.content_type = "application/json";
        response.body = buf_str(&body);
    } else {
        response.content_type = output_format_media_type(result->format);
        response.body_fd = TAKE_FD(result->output_fd);
        response.body_fd_len = result->output_len;
    }
    image_job_reply(job, &response);
}
