/* Encodes a canvas in memory by libpng's simplified interface, adds the mark of varhead, and writes
 * the bytes.
 *
 * libpng could write to the file itself; in memory its failures and those of the disk are told
 * apart.
 */
#include "picture/png.h"

#include "base/atomic_file.h"
#include "base/memory.h"
#include "io/file_kind.h"

#include <errno.h>
#include <png.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool write_all(int fd, const unsigned char *bytes, size_t size)
{
    for (size_t done = 0; done < size;) {
        const ssize_t part = write(fd, bytes + done, size - done);
        if (part < 0 && errno != EINTR)
            return false;
        done += part > 0 ? (size_t)part : 0;
    }
    return true;
}

bool canvas_encode_png(const Canvas *canvas, int fd, const char *path, Error *error)
{
    png_image image = {
        .version = PNG_IMAGE_VERSION,
        .width = (png_uint_32)canvas->width,
        .height = (png_uint_32)canvas->height,
        .format = canvas->channels == 3 ? PNG_FORMAT_RGB : PNG_FORMAT_GRAY,
    };
    char *bytes = NULL;
    size_t size = 0;
    FILE *stream = open_memstream(&bytes, &size);
    bool encoded = stream && png_image_write_to_stdio(&image, stream, 0, canvas->pixels, 0, NULL);
    encoded = stream && fclose(stream) == 0 && encoded;
    png_image_free(&image);
    if (!encoded) {
        free(bytes);
        return error_runtime(error, "%s: cannot be written: %s", path,
                             image.message[0] ? image.message : "no memory is left");
    }
    unsigned char *marked = file_kind_mark_png((unsigned char *)bytes, &size);
    free(bytes);
    const bool written = write_all(fd, marked, size);
    memory_free(marked);
    return written || error_runtime(error, "%s: cannot be written: %s", path, strerror(errno));
}

bool canvas_write_png(const Canvas *canvas, const char *path, Error *error)
{
    AtomicFile file;
    if (!atomic_file_begin(&file, path, file_kind_rule(FILE_PICTURE), error))
        return false;
    if (canvas_encode_png(canvas, file.fd, path, error))
        return atomic_file_commit(&file, error);
    atomic_file_abandon(&file);
    return false;
}
