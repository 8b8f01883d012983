/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as a film: whatever it says, only what makes sense comes out of it. */
#include "imaging/film.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    PhotoInfo photo;
    FilmInfo film;

    if (film_read((Str){(const char *)data, size}, &film, &photo) == 0 &&
        (!photo_info_valid(&photo) || film.width > FILM_SIDE_MAX || film.height > FILM_SIDE_MAX ||
         film.duration_ms > FILM_DURATION_MAX)) {
        abort();
    }
    return 0;
}
