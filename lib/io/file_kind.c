/* A table of the kinds, and a look at the first and the last bytes of a file; of an HDF5 file at an
 * attribute. */
#include "io/file_kind.h"

#include "base/group.h"
#include "base/memory.h"
#include "hdf5/hdf5_format.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

enum {
    /* Bytes that are read at either end of a file. */
    EDGE = 256,
    /* Bytes of a text that a message quotes. */
    SHOWN = 60,
    /* Bytes behind the mark of an archive. */
    ZIP_END = 22,
};

static const struct {
    const char *name;
    /* Of an HDF5 file: its attribute `format`. */
    const char *format;
    /* Of other files: how they begin, and end, if that matters. */
    const char *beginning;
    const char *ending;
} kinds[FILE_KINDS] = {
    [FILE_CHECKPOINT] = {"a checkpoint", "varhead-checkpoint", NULL, NULL},
    [FILE_CLASSIFIER] = {"a classifier of infer quality", "varhead-classifier", NULL, NULL},
    [FILE_STEP_COSTS] = {"a table of steps for --trajectory dp", "varhead-dp", NULL, NULL},
    [FILE_SWEEP] = {"an unfinished sweep of infer nll", "varhead-sweep", NULL, NULL},
    [FILE_BOUND_TERMS] = {"a file of terms of infer nll", "varhead-nll", NULL, NULL},
    [FILE_QUALITY_VALUES] = {"a file of values of infer quality", "varhead-quality", NULL, NULL},
    [FILE_SAMPLES] = {"a file of samples of infer sample", "varhead-samples", NULL, NULL},
    [FILE_PREDICTIONS] = {"a file of predictions of infer predict", "varhead-predictions", NULL,
                          NULL},
    [FILE_LOG] = {"the log of a training", NULL,
                  "run,target,step,loss,learning_rate,gradient_norm,images_per_second", NULL},
    [FILE_BOUNDS] = {"a table of infer nll", NULL,
                     "variance,trajectory,steps,bits_per_dim,stderr,images\n", NULL},
    [FILE_CALIBRATION] = {"a table of calibration of infer nll", NULL,
                          "variance,t,mean_square,stderr,floored,ratio", NULL},
    [FILE_QUALITY] = {"a table of infer quality", NULL,
                      "variance,sampler,trajectory,steps,metric,value,stderr,images,reference,"
                      "classifier,accuracy\n",
                      NULL},
    [FILE_TRUTH] = {"a table of infer truth", NULL, "variance,t,cov,mean_error,rms,bias,images",
                    NULL},
    [FILE_TIMES] = {"a table of times of infer compare", NULL,
                    "variance,head,seconds_per_image,relative,images,threads,", NULL},
    [FILE_POINTS] = {"a table of a chart's points of infer compare", NULL, "series,x,y,stderr\n",
                     NULL},
    [FILE_SIGMA] = {"a table of sigma of infer compare", NULL, "t,largest_sigma,", NULL},
    [FILE_BENCH] =
        {"a table of bench", NULL,
         "network,precision,work,batch,threads,ms_per_step,images_per_s,images_per_cpu_s,"
         "floor_ms,ratio,of_peak,peak_mb\n",
         NULL},
    [FILE_NOTE] = {"a note of infer compare", NULL, "varhead: infer sample ", NULL},
    [FILE_PAGE] = {"a page of infer compare", NULL,
                   "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
                   "<meta name=\"generator\" content=\"varhead\">\n",
                   NULL},
    [FILE_CHART] = {"a chart of infer compare", NULL, "<?xml ", "<!-- varhead -->\n</svg>\n"},
    [FILE_PICTURE] = {"a picture of varhead", NULL, NULL, NULL}, /* by is_marked_png */
    [FILE_DATA_CACHE] = {"a cache of pictures", NULL, "varhead cache of pictures 1\n", NULL},
    [FILE_ARCHIVE] = {"an archive of infer sample", NULL, "PK\3\4", "varhead"},
};

const char *file_kind_name(FileKind kind)
{
    return kinds[kind].name;
}

const char *file_kind_format(FileKind kind)
{
    return kinds[kind].format;
}

const char *file_kind_beginning(FileKind kind)
{
    return kinds[kind].beginning;
}

const char *file_kind_ending(FileKind kind)
{
    return kinds[kind].ending;
}

AtomicRule file_kind_rule(FileKind kind)
{
    return (AtomicRule){
        .allows = file_kind_allows, .kind = (int)kind, .by_each = kind == FILE_DATA_CACHE};
}

/* -- PNG --------------------------------------------------------------------------------------- */

/* Bytes of the signature and of the header, which is always the first chunk. The mark comes behind
 * them. */
enum { PNG_HEAD = 8 + 25, TEXT_SIZE = 16, MARK_SIZE = 12 + TEXT_SIZE };

static const unsigned char png_signature[8] = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n'};

static void put32(unsigned char *to, uint32_t value)
{
    for (int i = 0; i < 4; i++)
        to[i] = (unsigned char)(value >> (24 - 8 * i));
}

/* mark := a chunk of text in the format of PNG: length, type, keyword and text, checksum. */
static void make_mark(unsigned char mark[MARK_SIZE])
{
    put32(mark, TEXT_SIZE);
    memcpy(mark + 4, "tEXtSoftware\0varhead", 4 + TEXT_SIZE);
    put32(mark + 8 + TEXT_SIZE, (uint32_t)crc32(0, mark + 4, 4 + TEXT_SIZE));
}

unsigned char *file_kind_mark_png(const unsigned char *data, size_t *size)
{
    unsigned char *marked = memory_small(*size + MARK_SIZE, 1);
    memcpy(marked, data, PNG_HEAD);
    make_mark(marked + PNG_HEAD);
    memcpy(marked + PNG_HEAD + MARK_SIZE, data + PNG_HEAD, *size - PNG_HEAD);
    *size += MARK_SIZE;
    return marked;
}

/* -- Contents ---------------------------------------------------------------------------------- */

/* The first and the last `size` bytes of a file; they overlap if it is short. */
typedef struct Edges {
    size_t size;
    unsigned char first[EDGE + 1], last[EDGE];
} Edges;

/* False with errno if the file cannot be read. */
static bool read_edges(const char *path, Edges *edges)
{
    struct stat status;
    const int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    bool ok = fd >= 0 && fstat(fd, &status) == 0;
    *edges = (Edges){0};
    if (ok) {
        edges->size = status.st_size < EDGE ? (size_t)status.st_size : EDGE;
        const off_t at = status.st_size - (off_t)edges->size;
        ok = pread(fd, edges->first, edges->size, 0) == (ssize_t)edges->size &&
             pread(fd, edges->last, edges->size, at) == (ssize_t)edges->size;
    }
    if (fd >= 0)
        close(fd);
    return ok;
}

static bool begins(const Edges *edges, const void *text, size_t length)
{
    return edges->size >= length && memcmp(edges->first, text, length) == 0;
}

/* Whether the file ends with `text` and `behind` further bytes. */
static bool ends(const Edges *edges, const char *text, size_t behind)
{
    const size_t length = strlen(text), all = length + behind;
    return edges->size >= all && memcmp(edges->last + edges->size - all, text, length) == 0;
}

static bool is_png(const Edges *edges)
{
    return begins(edges, png_signature, sizeof png_signature);
}

static bool is_marked_png(const Edges *edges)
{
    unsigned char mark[MARK_SIZE];
    make_mark(mark);
    return is_png(edges) && edges->size >= PNG_HEAD + MARK_SIZE &&
           memcmp(edges->first + PNG_HEAD, mark, MARK_SIZE) == 0;
}

static bool is_hdf5(const Edges *edges)
{
    return begins(edges, "\x89HDF\r\n\x1a\n", 8);
}

static bool is_of_kind(const Edges *edges, const char *format, FileKind kind)
{
    if (kinds[kind].format)
        return format && strcmp(format, kinds[kind].format) == 0;
    if (kind == FILE_PICTURE)
        return is_marked_png(edges);
    const char *beginning = kinds[kind].beginning, *ending = kinds[kind].ending;
    return begins(edges, beginning, strlen(beginning)) &&
           (!ending || ends(edges, ending, kind == FILE_ARCHIVE ? ZIP_END : 0));
}

/* -- The rule ---------------------------------------------------------------------------------- */

/* Whether the file begins with a line of text; line := its beginning. */
static bool is_text(const Edges *edges, char line[SHOWN + 1])
{
    size_t length = strcspn((const char *)edges->first, "\r\n");
    if (length > SHOWN)
        length = SHOWN;
    for (size_t i = 0; i < length; i++)
        if (edges->first[i] < ' ' || edges->first[i] > '~')
            return false;
    memcpy(line, edges->first, length);
    line[length] = '\0';
    return length > 0;
}

static bool refuse(const char *path, const char *what, Error *error)
{
    return error_input(error,
                       "%s: is %s, which would be lost; move it, or name another file to write",
                       path, what);
}

/* Input error that says what the file is, as far as can be told. */
static bool refuse_content(const char *path, const Edges *edges, const char *format, bool readable,
                           Error *error)
{
    char line[SHOWN + 1], what[SHOWN + 64];
    for (int kind = 0; kind < FILE_KINDS; kind++)
        if (is_of_kind(edges, format, (FileKind)kind))
            return refuse(path, kinds[kind].name, error);
    if (is_hdf5(edges))
        return refuse(path,
                      readable ? "an HDF5 file that varhead has not written"
                               : "an HDF5 file that can't be read",
                      error);
    if (is_png(edges))
        return refuse(path, "a picture that varhead has not written", error);
    if (!is_text(edges, line))
        return refuse(path, "a file that varhead has not written", error);
    snprintf(what, sizeof what, "a text that begins with \"%s\"", line);
    return refuse(path, what, error);
}

bool file_kind_allows(const char *path, int kind, Error *error)
{
    Edges edges;
    if (!read_edges(path, &edges))
        return errno == ENOENT || errno == ENOTDIR ||
               error_input(error,
                           "%s: is there and can't be read (%s), so that nobody knows what "
                           "would be lost; name another file to write",
                           path, strerror(errno));
    if (edges.size == 0)
        return true;
    char *format = NULL;
    const bool readable = !is_hdf5(&edges) || hdf5_format(path, &format);
    const bool ok = is_of_kind(&edges, format, (FileKind)kind) ||
                    (kind == FILE_CHECKPOINT && !readable) ||
                    refuse_content(path, &edges, format, readable, error);
    memory_free(format);
    return ok;
}

void file_kind_remove(const char *path, FileKind kind)
{
    Error unused;
    if ((group_is_first() || kind == FILE_DATA_CACHE) && file_kind_allows(path, (int)kind, &unused))
        (void)unlink(path);
}
