/* A cache of decoded pictures. The search cannot guess fingerprints, so the target puts a header and the
 * right fingerprints around the index that it is given. If the cache is accepted, its images and its
 * labels are in range. */
#include "base/fingerprint.h"
#include "data/picture_cache.h"
#include "fuzz/target.h"
#include "io/file_kind.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { PAGE = 4096, COUNTS = 6, MOST_IMAGES = 255 };

/* As in data/picture_cache.c. */
typedef struct Header {
    char mark[32];
    uint64_t key, place;
    int64_t resolution, channels;
    /* count, files, classes, broken, profiles, others */
    int64_t counts[COUNTS];
    int64_t index_size;
    uint64_t index_print, print;
} Header;

static void check(int fd, const PictureIndex *index)
{
    uint8_t image;
    if (index->count < 1 || index->count > MOST_IMAGES)
        fuzz_broken("a cache has the images that its header says");
    for (int64_t i = 0; i < index->count; i++) {
        if (index->slots[i] >= index->count || index->labels[i] < -1 ||
            index->labels[i] >= index->classes)
            fuzz_broken("images and labels are in range");
        (void)picture_cache_read(fd, index, 1, &index->slots[i], 1, &image);
    }
    for (int64_t c = 0; c < index->classes; c++)
        if (!index->class_names[c])
            fuzz_broken("a class has a name");
    for (int i = 0; i < picture_index_listed(index); i++)
        if (!index->complaints[i])
            fuzz_broken("what is wrong with a picture is said");
}

static void open_file(const uint8_t *bytes, size_t size)
{
    const PictureCacheKey key = {.key = 1, .place = 2, .resolution = 1, .channels = 1};
    PictureIndex index;
    int fd;
    const char *path = fuzz_file("data.cache", bytes, size);
    if (picture_cache_open(path, &key, &index, &fd) == CACHE_FOUND) {
        check(fd, &index);
        picture_index_free(&index);
        close(fd);
    }
}

void fuzz_cache(const uint8_t *bytes, size_t size)
{
    static uint8_t file[PAGE + MOST_IMAGES + (1 << 17)];
    Header header = {.key = 1, .place = 2, .resolution = 1, .channels = 1};
    open_file(bytes, size);
    if (size < COUNTS || size > 1 << 17)
        return;
    snprintf(header.mark, sizeof header.mark, "%s", file_kind_beginning(FILE_DATA_CACHE));
    for (int i = 0; i < COUNTS; i++)
        header.counts[i] = bytes[i];
    const size_t images = bytes[0], index_size = size - COUNTS;
    header.index_size = (int64_t)index_size;
    header.index_print = fingerprint(FINGERPRINT_START, bytes + COUNTS, index_size);
    header.print = fingerprint(FINGERPRINT_START, &header, offsetof(Header, print));
    memset(file, 0, PAGE + images);
    memcpy(file, &header, sizeof header);
    memcpy(file + PAGE + images, bytes + COUNTS, index_size);
    open_file(file, PAGE + images + index_size);
}
