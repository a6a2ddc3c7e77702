/* PNG and JPEG, alone and in an archive. If they are accepted, the last pixel is in memory. */
#include "data/picture.h"
#include "data/picture_set.h"
#include "data/picture_survey.h"
#include "fuzz/target.h"

static void decode(const uint8_t *bytes, size_t size)
{
    Error error = {0};
    Picture picture;
    volatile uint8_t last = 0; /* the sanitizer reports a read outside of the memory */
    int width = 0, height = 0, channels = 0;
    const bool known = picture_header(bytes, (int64_t)size, &width, &height, &channels);
    if (!picture_decode(&picture, bytes, size, &error)) {
        fuzz_check_error(&error);
        return;
    }
    last =
        picture
            .pixels[(size_t)picture.width * (size_t)picture.height * (size_t)picture.channels - 1];
    (void)last;
    if (!known || width * height != picture.width * picture.height)
        fuzz_broken("the header of a picture tells its size");
    picture_free(&picture);
}

static void read_archive(const char *path)
{
    const PictureRule rule = {.resolution = 4,
                              .channels = 3,
                              .resize = RESIZE_CENTER_CROP,
                              .background = BACKGROUND_GREY};
    for (int skip = 0; skip < 2; skip++) {
        Error error = {0};
        PictureSet set;
        const PictureSetOptions options = {.rule = &rule,
                                           .on_broken = skip ? BROKEN_SKIP : BROKEN_STOP};
        const bool ok = picture_set_open(&set, path, &options, &error);
        const PictureIndex *index = &set.index;
        if (!ok)
            fuzz_check_error(&error);
        else if (index->count < 1 || index->slots[index->count - 1] >= index->count)
            fuzz_broken("a set has pictures, each in a place of its own");
        picture_set_free(&set);
    }
}

void fuzz_pictures(const uint8_t *bytes, size_t size)
{
    decode(bytes, size);
    read_archive(fuzz_file("x.tar", bytes, size));
}
