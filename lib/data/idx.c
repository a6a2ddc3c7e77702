/* Reads IDX files through zlib, which gives plain and compressed files alike.
 *
 * A file is read from front to end by a Reader: its header, which is checked, then the items, then
 * one byte more, since gzip's checksum is compared only at the end, and since data behind the last
 * item mean that the header is wrong.
 */
#include "data/idx.h"

#include "base/foreign_file.h"
#include "base/input_file.h"
#include "base/memory.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

enum {
    MAGIC_LABELS = 0x00000801,
    MAGIC_IMAGES = 0x00000803,
    IMAGES_HEADER = 16, /* bytes */
    LABELS_HEADER = 8,
    /* Bytes allocated on the word of a header alone. */
    FIRST_READ = 1 << 20,
};

/* A file being read. */
typedef struct Reader {
    const char *path;
    /* "images" or "labels" */
    const char *what;
    uint32_t magic;
    gzFile stream;
    /* In the header. */
    int64_t count;
    /* Bytes of one image or label. */
    int64_t item_size;
} Reader;

static uint32_t big_endian(const uint8_t *bytes)
{
    return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}

/* -- Reading through zlib ---------------------------------------------------------------------- */

/* Reports why zlib stopped: in zlib's words for damaged data, in the system's for a failing
 * disk. */
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

/* Reads *got bytes: `size`, or fewer where the file ends. */
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
    int code = Z_OK; /* only this call reports a stream that ends early */
    gzerror(reader->stream, &code);
    return code == Z_OK || code == Z_STREAM_END ? true : report_zlib(reader, error);
}

/* -- Header ------------------------------------------------------------------------------------ */

static bool check_magic(const Reader *reader, uint32_t magic, Error *error)
{
    if (magic == reader->magic)
        return true;
    if (magic == MAGIC_LABELS || magic == MAGIC_IMAGES)
        return error_input(error,
                           "%s: is an IDX file of %s (magic 0x%08x), expected one of %s (0x%08x)",
                           reader->path, magic == MAGIC_LABELS ? "labels" : "images", magic,
                           reader->what, reader->magic);
    uint8_t begin[FOREIGN_KIND_BYTES]; /* unpacked */
    const int got = gzrewind(reader->stream) == 0 ? gzread(reader->stream, begin, sizeof begin) : 0;
    const ForeignKind kind = foreign_kind_of_bytes(begin, got > 0 ? (size_t)got : 0);
    if (kind.text[0] != '\0')
        return error_input(error, "%s: is %s, expected an IDX file of %s", reader->path, kind.text,
                           reader->what);
    return error_input(error, "%s: is no IDX file of %s: its magic is 0x%08x, expected 0x%08x",
                       reader->path, reader->what, magic, reader->magic);
}

/* header [size] := the bytes before the data. Checks the magic and the count. */
static bool read_header(Reader *reader, uint8_t *header, int size, Error *error)
{
    int64_t got = 0;
    if (!read_bytes(reader, header, size, &got, error))
        return false;
    if (got >= 4 && !check_magic(reader, big_endian(header), error))
        return false;
    if (got < size)
        return error_input(error, "%s: is truncated, it has %lld bytes where an IDX header has %d",
                           reader->path, (long long)got, size);
    reader->count = big_endian(header + 4);
    if (reader->count == 0)
        return error_input(error, "%s: holds no %s", reader->path, reader->what);
    return true;
}

static bool read_images_header(Reader *reader, int resolution, Error *error)
{
    uint8_t header[IMAGES_HEADER];
    if (!read_header(reader, header, IMAGES_HEADER, error))
        return false;
    uint32_t height = big_endian(header + 8);
    uint32_t width = big_endian(header + 12);
    if (height != (uint32_t)resolution || width != (uint32_t)resolution)
        return error_input(error, "%s: images are %ux%u, but data.resolution is %d", reader->path,
                           height, width, resolution);
    reader->item_size = (int64_t)height * width;
    return true;
}

/* -- Data -------------------------------------------------------------------------------------- */

static bool report_truncated(const Reader *reader, int64_t got, Error *error)
{
    return error_input(error, "%s: is truncated, its header announces %lld %s, %lld are there",
                       reader->path, (long long)reader->count, reader->what,
                       (long long)(got / reader->item_size));
}

/* *items [count, item_size] := the data. Memory doubles as data come, and ends at their size. */
static bool read_items(const Reader *reader, uint8_t **items, Error *error)
{
    int64_t total = reader->count * reader->item_size;
    int64_t capacity = total < FIRST_READ ? total : FIRST_READ;
    int64_t filled = 0;
    while (filled < total) {
        uint8_t *grown = realloc(*items, (size_t)capacity);
        if (grown == NULL)
            return error_runtime(error, "%s: not enough memory for its %lld bytes of %s",
                                 reader->path, (long long)total, reader->what);
        *items = grown;
        int64_t got = 0;
        if (!read_bytes(reader, *items + filled, capacity - filled, &got, error))
            return false;
        filled += got;
        if (filled < capacity)
            return report_truncated(reader, filled, error);
        capacity = total / 2 < capacity ? total : 2 * capacity;
    }

    uint8_t more;
    int64_t got = 0;
    if (!read_bytes(reader, &more, 1, &got, error)) /* compares gzip's checksum, too */
        return false;
    if (got > 0)
        return error_input(error, "%s: has data after the %lld %s that its header announces",
                           reader->path, (long long)reader->count, reader->what);
    return true;
}

/* -- Files ------------------------------------------------------------------------------------- */

/* magic := the first four bytes, unpacked. Nothing that follows is looked at: a file with a wrong
 * checksum is an IDX file, too. */
static bool read_magic(const char *path, uint8_t magic[4])
{
    enum { GZIP = 16 };
    uint8_t begin[1024];
    FILE *file = input_file_open(path);
    const size_t got = file ? fread(begin, 1, sizeof begin, file) : 0;
    if (file)
        fclose(file);
    if (got < 4 || begin[0] != 0x1f || begin[1] != 0x8b) {
        memcpy(magic, begin, got < 4 ? 0 : 4);
        return got >= 4;
    }
    z_stream stream = {.next_in = begin, .avail_in = (uInt)got, .next_out = magic, .avail_out = 4};
    if (inflateInit2(&stream, MAX_WBITS + GZIP) != Z_OK)
        return false;
    (void)inflate(&stream, Z_SYNC_FLUSH);
    inflateEnd(&stream);
    return stream.avail_out == 0;
}

bool idx_detects(const char *path)
{
    int64_t size = 0;
    Error unused;
    uint8_t begin[4];
    if (!input_file_check(path, "", &size, &unused) || !read_magic(path, begin))
        return false;
    const uint32_t magic = big_endian(begin);
    return magic == MAGIC_IMAGES || magic == MAGIC_LABELS;
}

static bool open_reader(Reader *reader, const char *expected, Error *error)
{
    int64_t file_size = 0;
    if (!input_file_check(reader->path, expected, &file_size, error))
        return false;
    reader->stream = gzopen(reader->path, "rb");
    return reader->stream ||
           error_input(error, "%s: cannot be read: %s", reader->path, strerror(errno));
}

bool idx_shape(int *resolution, const char *path, Error *error)
{
    uint8_t header[IMAGES_HEADER];
    Reader reader = {.path = path, .what = "images", .magic = MAGIC_IMAGES};
    if (!open_reader(&reader, "an IDX file of images", error))
        return false;
    bool ok = read_header(&reader, header, IMAGES_HEADER, error);
    gzclose_r(reader.stream);
    const uint32_t height = ok ? big_endian(header + 8) : 0,
                   width = ok ? big_endian(header + 12) : 0;
    if (ok && (height != width || height > INT_MAX))
        ok = error_input(error, "%s: images are %ux%u, expected square ones", path, height, width);
    *resolution = (int)height;
    return ok;
}

bool idx_read(IdxImages *images, const char *path, int resolution, Error *error)
{
    *images = (IdxImages){0};
    Reader reader = {.path = path, .what = "images", .magic = MAGIC_IMAGES};
    if (!open_reader(&reader, "an IDX file of images", error))
        return false;
    bool ok = read_images_header(&reader, resolution, error) &&
              read_items(&reader, &images->pixels, error);
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

bool idx_read_labels(uint8_t **labels, int64_t *count, const char *path, Error *error)
{
    *labels = NULL;
    uint8_t header[LABELS_HEADER];
    Reader reader = {.path = path, .what = "labels", .magic = MAGIC_LABELS, .item_size = 1};
    if (!open_reader(&reader, "an IDX file of labels", error))
        return false;
    bool ok =
        read_header(&reader, header, LABELS_HEADER, error) && read_items(&reader, labels, error);
    gzclose_r(reader.stream);
    *count = reader.count;
    if (ok)
        return true;
    memory_free(*labels);
    *labels = NULL;
    return false;
}
