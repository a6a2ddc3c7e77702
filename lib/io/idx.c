#include "io/idx.h"

#include "base/memory.h"
#include "io/input_file.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

enum {
    MAGIC_LABELS = 0x00000801,
    MAGIC_IMAGES = 0x00000803,
    HEADER_SIZE = 16,
    FIRST_READ = 1 << 20, /* bytes allocated on the word of a header alone */
};

/* A file being read; the header is known. */
typedef struct Reader {
    const char *path;
    gzFile stream;
    int64_t count;
    int64_t image_size; /* bytes */
} Reader;

static uint32_t big_endian(const uint8_t *bytes)
{
    return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}

/* -- Reading through zlib --------------------------------------------------------------------- */

/* Why zlib stopped: its own words for damaged data, the system's for a failing disk. */
static bool report_zlib(const Reader *reader, Error *error)
{
    int code = Z_OK;
    const char *reason = gzerror(reader->stream, &code);
    if (code == Z_ERRNO)
        return error_input(error, "%s: cannot be read: %s", reader->path, strerror(errno));
    if (code == Z_BUF_ERROR)
        return error_input(error, "%s: is truncated, its gzip data end early", reader->path);
    if (strncmp(reason, reader->path, strlen(reader->path)) == 0)
        reason += strlen(reader->path) + 2; /* zlib puts "path: " before its words */
    return error_input(error, "%s: has damaged gzip data (%s)", reader->path, reason);
}

/* Reads `size` bytes or up to the end of the file; `*got` is how many. */
static bool read_bytes(const Reader *reader, uint8_t *bytes, int64_t size, int64_t *got,
                       Error *error)
{
    *got = 0;
    while (*got < size) {
        int64_t rest = size - *got;
        int step =
            gzread(reader->stream, bytes + *got, rest < INT_MAX / 2 ? (unsigned)rest : INT_MAX / 2);
        if (step < 0)
            return report_zlib(reader, error);
        if (step == 0)
            break;
        *got += step;
    }
    int code = Z_OK; /* a stream that ends early shows only here */
    gzerror(reader->stream, &code);
    return code == Z_OK || code == Z_STREAM_END ? true : report_zlib(reader, error);
}

/* -- Header ----------------------------------------------------------------------------------- */

static bool check_magic(const char *path, uint32_t magic, Error *error)
{
    if (magic == MAGIC_IMAGES)
        return true;
    if (magic == MAGIC_LABELS)
        return error_input(error,
                           "%s: is an IDX file of labels (magic 0x%08x), expected one of images "
                           "(0x%08x)",
                           path, MAGIC_LABELS, MAGIC_IMAGES);
    return error_input(error, "%s: is no IDX file of images: its magic is 0x%08x, expected 0x%08x",
                       path, magic, MAGIC_IMAGES);
}

static bool read_header(Reader *reader, int resolution, Error *error)
{
    uint8_t header[HEADER_SIZE];
    int64_t got = 0;
    if (!read_bytes(reader, header, HEADER_SIZE, &got, error))
        return false;
    if (got >= 4 && !check_magic(reader->path, big_endian(header), error))
        return false;
    if (got < HEADER_SIZE)
        return error_input(error, "%s: is truncated, it has %lld bytes where an IDX header has %d",
                           reader->path, (long long)got, HEADER_SIZE);

    uint32_t height = big_endian(header + 8);
    uint32_t width = big_endian(header + 12);
    if (height != (uint32_t)resolution || width != (uint32_t)resolution)
        return error_input(error, "%s: images are %ux%u, but data.resolution is %d", reader->path,
                           height, width, resolution);
    reader->count = big_endian(header + 4);
    reader->image_size = (int64_t)height * width;
    if (reader->count == 0)
        return error_input(error, "%s: holds no images", reader->path);
    return true;
}

/* -- Pixels ----------------------------------------------------------------------------------- */

static bool report_truncated(const Reader *reader, int64_t got, Error *error)
{
    return error_input(error, "%s: is truncated, its header announces %lld images, %lld are there",
                       reader->path, (long long)reader->count,
                       (long long)(got / reader->image_size));
}

/* Reads the images, the memory growing with what really comes. */
static bool read_pixels(const Reader *reader, uint8_t **pixels, Error *error)
{
    int64_t total = reader->count * reader->image_size;
    int64_t capacity = total < FIRST_READ ? total : FIRST_READ;
    int64_t filled = 0;
    while (filled < total) {
        uint8_t *grown = realloc(*pixels, (size_t)capacity);
        if (grown == NULL)
            return error_runtime(error, "%s: not enough memory for its %lld bytes of images",
                                 reader->path, (long long)total);
        *pixels = grown;
        int64_t got = 0;
        if (!read_bytes(reader, *pixels + filled, capacity - filled, &got, error))
            return false;
        filled += got;
        if (filled < capacity)
            return report_truncated(reader, filled, error);
        capacity = total / 2 < capacity ? total : 2 * capacity;
    }

    uint8_t more;
    int64_t got = 0;
    if (!read_bytes(reader, &more, 1, &got, error)) /* checks gzip's checksum, too */
        return false;
    if (got > 0)
        return error_input(error, "%s: has data after the %lld images that its header announces",
                           reader->path, (long long)reader->count);
    return true;
}

bool idx_read(IdxImages *images, const char *path, int resolution, Error *error)
{
    *images = (IdxImages){0};
    int64_t file_size = 0;
    if (!input_file_check(path, "an IDX file of images", &file_size, error))
        return false;

    Reader reader = {.path = path, .stream = gzopen(path, "rb")};
    if (reader.stream == NULL)
        return error_input(error, "%s: cannot be read: %s", path, strerror(errno));
    bool ok =
        read_header(&reader, resolution, error) && read_pixels(&reader, &images->pixels, error);
    gzclose_r(reader.stream);
    images->count = reader.count;
    if (!ok)
        idx_free(images);
    return ok;
}

void idx_free(IdxImages *images)
{
    memory_free(images->pixels);
    *images = (IdxImages){0};
}
