/* SPDX-License-Identifier: Apache-2.0 */
#include "imaging/bmp.h"

int bmp_load(Str bytes, VipsImage **ret_image) {
    (void)bytes;
    (void)ret_image;
    return -1;
}
