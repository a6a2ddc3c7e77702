/* Inflates member by member, by zlib. */
#include "data/gunzip.h"

#include "base/input_file.h"
#include "base/memory.h"

#include <stdbool.h>
#include <stdio.h>
#include <zlib.h>

enum { INPUT = 1 << 16, GZIP = MAX_WBITS + 16 };

struct Gunzip {
    FILE *file;
    z_stream stream;
    uint8_t input[INPUT];
    /* Whether a member has ended, and the next one has not begun. */
    bool between;
};

Gunzip *gunzip_open(const char *path)
{
    FILE *file = input_file_open(path);
    if (!file)
        return NULL;
    Gunzip *g = memory_small(1, sizeof *g);
    g->file = file;
    if (inflateInit2(&g->stream, GZIP) == Z_OK)
        return g;
    fclose(file);
    memory_free(g);
    return NULL;
}

void gunzip_close(Gunzip *g)
{
    if (!g)
        return;
    inflateEnd(&g->stream);
    fclose(g->file);
    memory_free(g);
}

/* Whether there is input, new or left. */
static bool has_input(Gunzip *g)
{
    if (g->stream.avail_in > 0)
        return true;
    g->stream.next_in = g->input;
    g->stream.avail_in = (unsigned)fread(g->input, 1, INPUT, g->file);
    return g->stream.avail_in > 0;
}

/* Goes to the next member, over zeros. Returns whether there is one. What is none is an error of inflate's. */
static bool next_member(Gunzip *g)
{
    while (has_input(g) && *g->stream.next_in == 0) {
        g->stream.next_in++;
        g->stream.avail_in--;
    }
    g->between = !has_input(g);
    return !g->between && inflateReset(&g->stream) == Z_OK;
}

static const char *problem_of(const Gunzip *g)
{
    if (ferror(g->file))
        return "it cannot be read";
    if (g->stream.msg)
        return g->stream.msg;
    return g->stream.avail_in == 0 ? "its gzip data end early" : "its gzip data are damaged";
}

int gunzip_read(Gunzip *g, uint8_t *bytes, int size, const char **problem)
{
    int code = Z_OK;
    g->stream.next_out = bytes;
    g->stream.avail_out = (unsigned)size;
    while (code == Z_OK && g->stream.avail_out > 0 && (!g->between || next_member(g))) {
        code = has_input(g) ? inflate(&g->stream, Z_NO_FLUSH) : Z_BUF_ERROR;
        g->between = code == Z_STREAM_END;
        code = g->between ? Z_OK : code;
    }
    if (code == Z_OK && !ferror(g->file))
        return size - (int)g->stream.avail_out;
    *problem = problem_of(g);
    return -1;
}

int64_t gunzip_position(const Gunzip *g)
{
    return (int64_t)ftello(g->file) - (int64_t)g->stream.avail_in;
}
