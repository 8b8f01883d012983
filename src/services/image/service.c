/* SPDX-License-Identifier: Apache-2.0 */
#include "services/image/failure.h"
#include "services/image/internal.h"

#include "base/error.h"

#include <stdio.h>

#define SETTLE_RETRY_MS 500 /* after the client of the user service has tried for itself */

static void register_metrics(ImageService *service) {
    Metrics *metrics = service->options.metrics;
    ImageMetrics *ours = &service->metrics;
    const struct {
        Metric **metric;
        const char *label;
    } steps[] = {
        {&ours->fetch_s, "step=\"fetch\""},         {&ours->probe_s, "step=\"probe\""},
        {&ours->queue_s, "step=\"queue\""},         {&ours->decode_s, "step=\"decode\""},
        {&ours->inference_s, "step=\"inference\""}, {&ours->refine_s, "step=\"refine\""},
        {&ours->compose_s, "step=\"compose\""},     {&ours->encode_s, "step=\"encode\""},
    };

    for (int i = 0; i < _RENDER_STATUS_MAX; i++) {
        char label[64];
        snprintf(label, sizeof(label), "status=\"%s\"", render_status_names[i]);
        ours->renders[i] = metrics_counter(metrics, "imagesync_renders_total", label,
                                           "Pictures rendered, by what became of them.");
    }
    for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
        *steps[i].metric = metrics_histogram(metrics, "imagesync_step_seconds", steps[i].label,
                                             "Time that a picture spends in each step.");
    }
    ours->credits_charged =
        metrics_counter(metrics, "imagesync_credits_charged_total", "", "Credits charged.");
}

static void build_routes(ImageService *service) {
    size_t body_max = image_settings_body_max(service->options.settings);

    service->removebg_routes[0] = (HttpRoute){"POST", "/v1.0/removebg", removebg_handle, body_max};
    service->removebg_routes[1] = (HttpRoute){"GET", "/v1.0/account", account_handle, 0};
    service->removebg_routes[2] = (HttpRoute){"POST", "/v1.0/improve", improve_handle, body_max};
    service->segment_routes[0] = (HttpRoute){"POST", "/v1/segment", segment_handle, body_max};
    service->segment_routes[1] = (HttpRoute){"GET", "/v1/account", segment_account_handle, 0};
    service->removebg_routes[1].blocks = service->options.executor != NULL;
    service->segment_routes[1].blocks = service->options.executor != NULL;
    service->page_routes[0] = (HttpRoute){"POST", "/v1/cutout", cutout_handle, body_max};
    service->page_routes[1] = (HttpRoute){"GET", "/v1/page-config", page_config_handle, 0};
    service->groups[0] = (HttpRouteGroup){"/v1.0/", service->removebg_routes, error_refuse_removebg,
                                          service, service->options.executor};
    service->groups[1] =
        (HttpRouteGroup){"/v1/segment", service->segment_routes, error_refuse_photoroom, service,
                         service->options.executor};
    service->groups[2] =
        (HttpRouteGroup){"/v1/", service->page_routes, error_refuse_problem, service};
}

static int check_settings(const ImageSettings *settings, const char **reterr) {
    const char *const modes[] = {"auto", "open", "key"};

    for (size_t i = 0; i < ARRAY_LEN(modes); i++) {
        if (strcmp(settings->page_access, modes[i]) == 0) {
            return 0;
        }
    }
    *reterr = "page-access: expected auto, open or key";
    return -EINVAL;
}

int image_service_new(const ImageServiceOptions *options, ImageService **ret_service,
                      const char **reterr) {
    _cleanup_(image_service_freep) ImageService *service = NULL;
    const ImageSettings *settings = options->settings;
    uint32_t per_minute = (uint32_t)settings->megapixels_per_minute;
    int r = check_settings(settings, reterr);

    if (r < 0) {
        return err_trace(r);
    }
    service = calloc(1, sizeof(*service));
    if (!service) {
        return err_trace(-ENOMEM);
    }
    service->options = *options;
    service->file_max = settings->file_max_mib << 20;
    /* Who sits at this machine need not be kept from using it. */
    r = accounts_new(settings->api_keys, per_minute,
                     strcmp(settings->page_access, "open") == 0 ? per_minute : 0,
                     &service->accounts, reterr);
    if (r < 0) {
        return err_trace(r);
    }
    accounts_set_access(service->accounts, options->access);
    register_metrics(service);
    if (options->access) {
        r = settlements_new(&(SettlementsOptions){.access = options->access,
                                                  .retry_ms = SETTLE_RETRY_MS,
                                                  .metrics = options->metrics,
                                                  .charged = service->metrics.credits_charged},
                            &service->settlements);
    }
    if (r < 0) {
        *reterr = "cannot start a thread";
        return err_trace(r);
    }
    build_routes(service);
    *ret_service = TAKE_PTR(service);
    return 0;
}

ImageService *image_service_free(ImageService *service) {
    if (service) {
        settlements_free(service->settlements);
        accounts_free(service->accounts);
        free(service);
    }
    return NULL;
}

const HttpRouteGroup *image_service_groups(ImageService *service) {
    return service->groups;
}
