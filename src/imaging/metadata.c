/* SPDX-License-Identifier: Apache-2.0 */
#include "imaging/metadata.h"

#include "core/model/photo_type.h"
#include "imaging/exif.h"
#include "imaging/film.h"

int metadata_read(Str bytes, FilmInfo *ret_film, PhotoInfo *ret_photo, const char **reterr_detail) {
    PhotoType type = photo_type_sniff(bytes);

    *reterr_detail = "";
    switch (photo_type_info(type)->kind) {
    case PHOTO_KIND_VIDEO:
        if (film_read(bytes, ret_film, ret_photo) != 0) {
            *reterr_detail = "The film is broken or ends too early.";
            return RENDER_UNREADABLE;
        }
        return 0;
    case PHOTO_KIND_RAW:
        *ret_film = (FilmInfo){0};
        *ret_photo = PHOTO_INFO_INIT;
        exif_read(bytes, ret_photo);
        return 0;
    default:
        return RENDER_UNSUPPORTED;
    }
}
