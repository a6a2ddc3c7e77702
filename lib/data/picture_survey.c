/* Headers are read by hand: the chunk IHDR that a PNG begins with, and the frame header (SOF) of a JPEG
 * behind its other segments.
 */
#include "data/picture_survey.h"

#include "base/interrupt.h"
#include "base/memory.h"
#include "data/picture.h"
#include "data/picture_files.h"
#include "data/picture_progress.h"

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

enum {
    /* Files that are looked at side by side. */
    BATCH = 256,
    /* The header of nearly all files lies in their first bytes. */
    BEGIN = 1 << 14,
};

/* A file, and what its header says; a width of 0: nothing. */
typedef struct Item {
    PictureFile file;
    int width, height, channels;
} Item;

static bool find_header(Item *item)
{
    const PictureFile *file = &item->file;
    const bool found = file->bytes && picture_header(file->bytes, file->size, &item->width,
                                                     &item->height, &item->channels);
    if (!found)
        item->width = 0;
    return found;
}

/* A JPEG may have megabytes of other segments before its header. Then the whole file is read. */
static void look_at(const PictureFiles *files, Item *item)
{
    picture_files_load_begin(files, &item->file, BEGIN);
    if (!find_header(item) && item->file.size == BEGIN && !picture_files_are_packed(files)) {
        memory_free(item->file.bytes);
        item->file.bytes = NULL;
        picture_files_load(files, &item->file);
        (void)find_header(item);
    }
    memory_free(item->file.bytes);
    item->file.bytes = NULL;
}

/* The next files, one at a time of an archive, whose contents come with their names. */
static bool take_files(PictureFiles *files, Item *items, int *count, bool *more, Error *error)
{
    const int most = picture_files_are_packed(files) ? 1 : BATCH;
    for (*count = 0; *more && *count < most;) {
        items[*count] = (Item){0};
        if (!picture_files_next(files, &items[*count].file, error))
            return false;
        *more = items[*count].file.name != NULL;
        *count += *more;
    }
    return true;
}

static void add_all(PictureSurvey *survey, const PictureFiles *files, Item *items, int count)
{
#pragma omp parallel for schedule(dynamic)
    for (int i = 0; i < count; i++)
        look_at(files, &items[i]);
    for (int i = 0; i < count; i++) {
        if (items[i].width > 0)
            add(survey, items[i].width, items[i].height, items[i].channels);
        picture_files_forget(&items[i].file);
    }
}

bool picture_survey_read(PictureSurvey *survey, const char *path, Error *error)
{
    PictureFiles *files = NULL;
    PictureProgress progress;
    *survey = (PictureSurvey){0};
    if (!picture_files_open(&files, path, error))
        return false;
    Item *items = memory_small(BATCH, sizeof *items);
    bool ok = true, more = true;
    picture_progress_start(&progress, "sizes", files);
    while (ok && more) {
        int count = 0;
        ok = interrupt_continues_alone(error) && take_files(files, items, &count, &more, error);
        add_all(survey, files, items, count);
        picture_progress_show(&progress, survey->pictures);
    }
    picture_progress_finish(&progress, ok);
    memory_free(items);
    picture_files_close(files);
    return ok;
}
