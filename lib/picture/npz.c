/* An .npz is a ZIP archive of .npy files, here of one, not compressed: a header, the pixels, a
 * directory at the end.
 *
 * Images are appended as they come. The header holds their checksum, so its place is left empty and
 * it is written last.
 */
#include "picture/npz.h"

#include "base/atomic_file.h"
#include "base/memory.h"
#include "base/pixel.h"
#include "io/file_kind.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

/* ZIP: APPNOTE.TXT, sections 4.3.7, 4.3.12 and 4.3.16. NPY: numpy.lib.format, version 1.0. */
enum {
    /* Bytes of each record without names. */
    LOCAL_SIZE = 30,
    CENTRAL_SIZE = 46,
    END_SIZE = 22,
    /* Of "arr_0.npy". */
    NAME_SIZE = 9,
    /* Of the member's comment, which marks the file as varhead's (io/file_kind.h). */
    MARK_SIZE = 7,
    NPY_SIZE = 128,
    /* 2.0: plain files. */
    ZIP_VERSION = 20,
    /* 1 January 1980: nothing in the file depends on the time. */
    FIRST_DAY = 0x21,
    CHUNK_IMAGES = 64,
};

static const char member[] = "arr_0.npy";

struct NpzWriter {
    AtomicFile file;
    /* Images in all, and written so far. */
    int64_t count, written;
    /* Of an image. */
    size_t pixels;
    /* Channels of an image that is appended, and of one that is stored. */
    int channels, stored;
    /* [CHUNK_IMAGES, pixels, stored] */
    uint8_t *chunk;
    uint32_t checksum;
    /* Bytes of the member so far. */
    int64_t size;
};

/* -- Bytes ------------------------------------------------------------------------------------- */

static bool cannot_write(const NpzWriter *writer, Error *error)
{
    return error_runtime(error, "%s: cannot be written: %s", writer->file.path, strerror(errno));
}

/* Writes at `offset`; below 0: behind the last write. */
static bool write_bytes(const NpzWriter *writer, const void *bytes, size_t size, off_t offset,
                        Error *error)
{
    const char *at = bytes;
    while (size > 0) {
        const ssize_t done = offset < 0 ? write(writer->file.fd, at, size)
                                        : pwrite(writer->file.fd, at, size, offset);
        if (done < 0 && errno == EINTR)
            continue;
        if (done < 0)
            return cannot_write(writer, error);
        at += done;
        size -= (size_t)done;
        offset += offset < 0 ? 0 : done;
    }
    return true;
}

/* Appends a part of the member. */
static bool append(NpzWriter *writer, const void *bytes, size_t size, Error *error)
{
    writer->checksum = (uint32_t)crc32(writer->checksum, bytes, (uInt)size);
    writer->size += (int64_t)size;
    return write_bytes(writer, bytes, size, -1, error);
}

/* Little-endian, as are all numbers of both formats. */
static uint8_t *put16(uint8_t *at, unsigned value)
{
    at[0] = (uint8_t)value;
    at[1] = (uint8_t)(value >> 8);
    return at + 2;
}

static uint8_t *put32(uint8_t *at, uint32_t value)
{
    return put16(put16(at, value & 0xffff), value >> 16);
}

/* -- Records ----------------------------------------------------------------------------------- */

/* The fields of the member that the local header and the directory share: from the version to the
 * length of its name. */
static uint8_t *put_member(const NpzWriter *writer, uint8_t *at)
{
    at = put16(at, ZIP_VERSION);
    at = put32(at, 0); /* no flags; stored, not compressed */
    at = put16(at, 0); /* midnight */
    at = put16(at, FIRST_DAY);
    at = put32(at, writer->checksum);
    at = put32(at, (uint32_t)writer->size); /* compressed, and not */
    at = put32(at, (uint32_t)writer->size);
    return put16(at, NAME_SIZE);
}

static bool write_local_header(const NpzWriter *writer, Error *error)
{
    uint8_t header[LOCAL_SIZE + NAME_SIZE] = {0};
    uint8_t *at = put_member(writer, put32(header, 0x04034b50));
    memcpy(put16(at, 0), member, NAME_SIZE);
    return write_bytes(writer, header, sizeof header, 0, error);
}

static bool write_directory(const NpzWriter *writer, Error *error)
{
    uint8_t records[CENTRAL_SIZE + NAME_SIZE + MARK_SIZE + END_SIZE] = {0};
    const uint32_t start = (uint32_t)(LOCAL_SIZE + NAME_SIZE + writer->size);
    uint8_t *at = put16(put32(records, 0x02014b50), ZIP_VERSION);
    at = put16(put_member(writer, at), 0); /* no extra field */
    put16(at, MARK_SIZE);                  /* of a comment; the rest: disk 0, offset 0 */
    at = records + CENTRAL_SIZE;
    memcpy(at, member, NAME_SIZE);
    memcpy(at + NAME_SIZE, file_kind_ending(FILE_ARCHIVE), MARK_SIZE);
    at = put32(at + NAME_SIZE + MARK_SIZE, 0x06054b50);
    at = put32(at, 0); /* disk 0 */
    at = put16(at, 1); /* one member here, one in all */
    at = put16(at, 1);
    at = put32(at, CENTRAL_SIZE + NAME_SIZE + MARK_SIZE);
    put32(at, start); /* no comment on the archive, which some readers cannot handle */
    return write_bytes(writer, records, sizeof records, -1, error);
}

/* Appends the magic, version, length, a Python dictionary, blanks up to a multiple of 64 bytes, and
 * a newline. */
static bool append_npy_header(NpzWriter *writer, int resolution, Error *error)
{
    char header[NPY_SIZE + 1];
    memset(header, ' ', sizeof header);
    const int length =
        snprintf(header + 10, sizeof header - 10,
                 "{'descr': '|u1', 'fortran_order': False, 'shape': (%lld, %d, %d, %d), }",
                 (long long)writer->count, resolution, resolution, writer->stored);
    assert(length > 0 && 10 + length < NPY_SIZE);
    header[10 + length] = ' '; /* instead of printf's closing zero byte */
    memcpy(header, "\x93NUMPY\x01\x00", 8);
    put16((uint8_t *)header + 8, NPY_SIZE - 10);
    header[NPY_SIZE - 1] = '\n';
    return append(writer, header, NPY_SIZE, error);
}

/* -- Writing ----------------------------------------------------------------------------------- */

static bool check_size(const NpzWriter *writer, const char *path, Error *error)
{
    const int64_t image = (int64_t)writer->pixels * writer->stored;
    const int64_t room =
        UINT32_MAX - LOCAL_SIZE - 2 * NAME_SIZE - CENTRAL_SIZE - NPY_SIZE - MARK_SIZE - END_SIZE;
    if (writer->count <= room / image)
        return true;
    return error_input(error,
                       "%s: %lld images are more than the 4 GiB of an .npz; expected at most %lld, "
                       "or a directory, or .h5",
                       path, (long long)writer->count, (long long)(room / image));
}

bool npz_create(NpzWriter **result, const char *path, int64_t count, int resolution, int channels,
                Error *error)
{
    static const uint8_t room[LOCAL_SIZE + NAME_SIZE];
    NpzWriter *writer = memory_small(1, sizeof *writer);
    writer->file.fd = -1;
    writer->count = count;
    writer->pixels = (size_t)resolution * (size_t)resolution;
    writer->channels = channels;
    writer->stored = channels == 1 ? 3 : channels;
    const bool ok =
        check_size(writer, path, error) &&
        (writer->chunk = memory_large(CHUNK_IMAGES, writer->pixels * (size_t)writer->stored,
                                      "images", error)) != NULL &&
        atomic_file_begin(&writer->file, path, file_kind_rule(FILE_ARCHIVE), error) &&
        write_bytes(writer, room, sizeof room, -1, error) &&
        append_npy_header(writer, resolution, error);
    *result = ok ? writer : NULL;
    if (!ok)
        npz_discard(writer);
    return ok;
}

static void convert(const NpzWriter *writer, const float *images, size_t count)
{
    const size_t channels = (size_t)writer->channels, stored = (size_t)writer->stored;
    for (size_t p = 0; p < count * writer->pixels; p++)
        for (size_t c = 0; c < stored; c++)
            writer->chunk[p * stored + c] = byte_of_pixel(images[p * channels + c % channels]);
}

bool npz_append(NpzWriter *writer, const float *images, int64_t count, Error *error)
{
    const size_t image = writer->pixels * (size_t)writer->channels;
    assert(writer->written + count <= writer->count);
    for (int64_t first = 0; first < count; first += CHUNK_IMAGES) {
        const size_t part = (size_t)(count - first < CHUNK_IMAGES ? count - first : CHUNK_IMAGES);
        convert(writer, images + (size_t)first * image, part);
        if (!append(writer, writer->chunk, part * writer->pixels * (size_t)writer->stored, error))
            return false;
    }
    writer->written += count;
    return true;
}

bool npz_commit(NpzWriter *writer, Error *error)
{
    assert(writer->written == writer->count);
    const bool ok = write_local_header(writer, error) && write_directory(writer, error) &&
                    atomic_file_commit(&writer->file, error);
    npz_discard(writer);
    return ok;
}

void npz_discard(NpzWriter *writer)
{
    if (!writer)
        return;
    atomic_file_abandon(&writer->file);
    memory_free(writer->chunk);
    memory_free(writer);
}
