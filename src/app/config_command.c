/* SPDX-License-Identifier: Apache-2.0 */
#include "app/config_command.h"

int config_command(const CliCall *call) {
    _cleanup_(buf_done) Buf text = BUF_INIT;

    config_print(call->config, &text);
    fputs(buf_cstr(&text), stdout);
    printf("\nThe data folder is %s; models are in %s.\n", call->settings->data,
           call->settings->models_dir);
    return EXIT_OK;
}
