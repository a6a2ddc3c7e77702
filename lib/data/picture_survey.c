/* Headers are read by hand: the chunk IHDR that a PNG begins with, and the frame header (SOF) of a JPEG
 * behind its other segments.
 */
#include "data/picture_survey.h"

#include "base/interrupt.h"
#include "data/picture.h"
#include "data/picture_files.h"

/* -- Headers ----------------------------------------------------------------------------------- */

static int two_bytes(const uint8_t *bytes)
{
    return bytes[0] << 8 | bytes[1];
}

static bool png_header(const uint8_t *bytes, int64_t size, int *width, int *height, int *channels)
{
    enum { WIDTH = 16, HEIGHT = 20, COLOURS = 25, END = 33, HAS_COLOURS = 2 };
    if (size < END || two_bytes(bytes + WIDTH) != 0 || two_bytes(bytes + HEIGHT) != 0)
        return false; /* no picture has 65,536 pixels a side */
    *width = two_bytes(bytes + WIDTH + 2);
    *height = two_bytes(bytes + HEIGHT + 2);
    *channels = bytes[COLOURS] & HAS_COLOURS ? 3 : 1;
    return true;
}

/* A marker that begins a frame: SOF0 to SOF15, without the three among them that are others. */
static bool is_frame(int marker)
{
    return marker >= 0xc0 && marker <= 0xcf && marker != 0xc4 && marker != 0xc8 && marker != 0xcc;
}

/* A marker without a length behind it: a stuffed zero, TEM, RST0 to RST7. */
static bool is_alone(int marker)
{
    return marker <= 1 || (marker >= 0xd0 && marker <= 0xd7);
}

static bool jpeg_header(const uint8_t *bytes, int64_t size, int *width, int *height, int *channels)
{
    enum { MARK = 0xff, SCAN = 0xda, SEGMENT = 4, FRAME = 10 };
    for (int64_t at = 2; at + SEGMENT <= size;) {
        if (bytes[at] != MARK || bytes[at + 1] == MARK) { /* filling, or bytes that do not count */
            at++;
            continue;
        }
        const int marker = bytes[at + 1];
        if (marker == SCAN || (is_frame(marker) && at + FRAME > size))
            return false;
        if (is_frame(marker)) {
            *height = two_bytes(bytes + at + 5);
            *width = two_bytes(bytes + at + 7);
            *channels = bytes[at + 9] == 1 ? 1 : 3;
            return true;
        }
        at += is_alone(marker) ? 2 : 2 + two_bytes(bytes + at + 2);
    }
    return false;
}

bool picture_header(const uint8_t *bytes, int64_t size, int *width, int *height, int *channels)
{
    const PictureKind kind = picture_kind(bytes, (size_t)size);
    const bool ok = kind == PICTURE_PNG    ? png_header(bytes, size, width, height, channels)
                    : kind == PICTURE_JPEG ? jpeg_header(bytes, size, width, height, channels)
                                           : false;
    return ok && *width > 0 && *height > 0;
}

/* -- The survey -------------------------------------------------------------------------------- */

static int smaller(int a, int b)
{
    return a < b ? a : b;
}

static int larger(int a, int b)
{
    return a > b ? a : b;
}

static void add(PictureSurvey *s, int width, int height, int channels)
{
    const int side = smaller(width, height);
    const bool first = s->pictures++ == 0;
    s->least_width = first ? width : smaller(s->least_width, width);
    s->least_height = first ? height : smaller(s->least_height, height);
    s->least_side = first ? side : smaller(s->least_side, side);
    s->most_width = larger(s->most_width, width);
    s->most_height = larger(s->most_height, height);
    s->has_colours = s->has_colours || channels == 3;
}

bool picture_survey_is_even(const PictureSurvey *survey)
{
    return survey->least_width == survey->most_width &&
           survey->least_height == survey->most_height &&
           survey->least_width == survey->least_height;
}

bool picture_survey_read(PictureSurvey *survey, const char *path, Error *error)
{
    PictureFiles *files = NULL;
    *survey = (PictureSurvey){0};
    bool ok = picture_files_open(&files, path, error), more = true;
    while (ok && more) {
        PictureFile file = {0};
        int width = 0, height = 0, channels = 0;
        ok = interrupt_continues(error) && picture_files_next(files, &file, error);
        more = file.name != NULL;
        if (ok && more)
            picture_files_load(files, &file);
        if (file.bytes && picture_header(file.bytes, file.size, &width, &height, &channels))
            add(survey, width, height, channels);
        picture_files_forget(&file);
    }
    picture_files_close(files);
    return ok;
}
