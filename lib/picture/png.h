/* Canvases as PNG files, with the mark by which varhead knows its own pictures (io/file_kind.h). */
#pragma once

#include "picture/canvas.h"

/* Writes a PNG to a file open for writing, which stays open. `path` names it in the run-time
 * error. */
bool canvas_encode_png(const Canvas *canvas, int fd, const char *path, Error *error);

/* Writes a PNG file, whole or not at all (base/atomic_file.h). Input error if another kind of file
 * would be lost, run-time error if it cannot be written. */
bool canvas_write_png(const Canvas *canvas, const char *path, Error *error);
