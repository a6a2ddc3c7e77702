/* Chooses the decoder of a picture, and turns the picture as EXIF asks. */
#include "data/picture.h"

#include "base/memory.h"
#include "data/picture_codec.h"

#include <string.h>

PictureKind picture_kind(const uint8_t *bytes, size_t size)
{
    if (size >= 8 && memcmp(bytes, "\x89PNG\r\n\x1a\n", 8) == 0)
        return PICTURE_PNG;
    if (size >= 3 && memcmp(bytes, "\xff\xd8\xff", 3) == 0)
        return PICTURE_JPEG;
    return PICTURE_NONE;
}

bool picture_make(Picture *picture, int64_t width, int64_t height, int channels, Error *error)
{
    if (width < 1 || height < 1 || width > PICTURE_MAX_SIDE || height > PICTURE_MAX_SIDE ||
        width * height > PICTURE_MAX_PIXELS)
        return error_input(error, "has %lld x %lld pixels, expected at most %d", (long long)width,
                           (long long)height, PICTURE_MAX_PIXELS);
    picture->width = (int)width;
    picture->height = (int)height;
    picture->channels = channels;
    picture->pixels =
        memory_unset((size_t)(width * height), (size_t)channels, "pixels of a picture", error);
    return picture->pixels != NULL;
}

/* Turns a picture from the way it is stored to the way it is shown. The shown pixel (x, y) is the stored
 * one at (x, y) mirrored, turned upside down and then transposed, each where the orientation says so. */
static bool turn(Picture *picture, int orientation, Error *error)
{
    static const struct {
        bool transposed, mirrored, upside_down;
    } ways[9] = {[2] = {false, true, false}, [3] = {false, true, true}, [4] = {false, false, true},
                 [5] = {true, false, false}, [6] = {true, true, false}, [7] = {true, true, true},
                 [8] = {true, false, true}};
    if (orientation == 1)
        return true;
    const Picture old = *picture;
    const bool across = ways[orientation].transposed;
    picture->pixels = NULL;
    picture_make(picture, across ? old.height : old.width, across ? old.width : old.height,
                 old.channels, error);
    for (int y = 0; picture->pixels && y < picture->height; y++)
        for (int x = 0; x < picture->width; x++) {
            const int u = ways[orientation].mirrored ? picture->width - 1 - x : x;
            const int v = ways[orientation].upside_down ? picture->height - 1 - y : y;
            const size_t from = across ? (size_t)u * (size_t)old.width + (size_t)v
                                       : (size_t)v * (size_t)old.width + (size_t)u;
            const size_t to = (size_t)y * (size_t)picture->width + (size_t)x;
            memcpy(picture->pixels + to * (size_t)old.channels,
                   old.pixels + from * (size_t)old.channels, (size_t)old.channels);
        }
    memory_free(old.pixels);
    return picture->pixels != NULL;
}

bool picture_decode(Picture *picture, const uint8_t *bytes, size_t size, Error *error)
{
    int orientation = 1;
    *picture = (Picture){0};
    const PictureKind kind = picture_kind(bytes, size);
    const bool ok =
        (kind == PICTURE_PNG    ? picture_decode_png(picture, bytes, size, &orientation, error)
         : kind == PICTURE_JPEG ? picture_decode_jpeg(picture, bytes, size, &orientation, error)
                                : error_input(error, "is neither PNG nor JPEG")) &&
        turn(picture, orientation, error);
    if (!ok)
        picture_free(picture);
    return ok;
}

void picture_free(Picture *picture)
{
    memory_free(picture->pixels);
    *picture = (Picture){0};
}
