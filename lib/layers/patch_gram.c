/* Rows of a matrix A are pixels, a few thousand at a time; A'A holds everything:
 *
 *     A = [ patch | 1 | targets ],   A'A = [ G    . ]
 *                                          [ r'   . ]
 *
 * The lower triangle of A'A is computed, in bands that end at the diagonal. In bfloat16 a target is
 * three columns whose sum is the float32 number, all its bits: patches are rounded, as the
 * convolution will see them, and targets are not.
 */
#include "layers/patch_gram.h"

#include "base/memory.h"
#include "engine/op.h"
#include "engine/product_check.h"

#include <string.h>

enum {
    NEIGHBOURS = 9,
    BANDS = 4,
    MAX_ROWS = 8192, /* of A: some megabytes */
    LANES = 32,      /* the number of columns is a multiple of this, so that rows are aligned */
    BF16_PARTS = 3,
};

struct PatchGram {
    const Value *z;
    DType type;
    int kinds, outputs, parts;
    /* Elements of phi, and columns of A with padding. */
    int features, columns;
    /* Images at a time. */
    int chunk;
    /* The matrix A [chunk h w, columns]. */
    char *rows;
    /* The lower triangle of A'A [columns, columns]. */
    float *square;
    void *scratch;
    struct Band {
        /* Rows of A'A. */
        int first, end;
        Primitive *product;
    } bands[BANDS];
};

int patch_gram_features(int channels)
{
    return NEIGHBOURS * channels + 1;
}

/* -- Preparation ------------------------------------------------------------------------------ */

static int round_up(int n, int unit)
{
    return (n + unit - 1) / unit * unit;
}

static size_t chunk_rows(const PatchGram *g)
{
    return (size_t)g->chunk * (size_t)(g->z->h * g->z->w);
}

static bool prepare_band(PatchGram *g, struct Band *band, Error *error)
{
    const MatmulShape shape = {.batch = 1,
                               .m = band->end - band->first,
                               .n = band->end,
                               .k = (int64_t)chunk_rows(g),
                               .a_row = 1,
                               .a_column = g->columns,
                               .b_row = g->columns,
                               .b_column = 1,
                               .c_row = g->columns,
                               .a_type = g->type,
                               .b_type = g->type,
                               .c_type = DTYPE_F32};
    return shape.m == 0 || primitive_matmul(&band->product, &shape, error);
}

static bool prepare_bands(PatchGram *g, Error *error)
{
    const int height = round_up((g->columns + BANDS - 1) / BANDS, LANES);
    size_t scratch = 0;
    for (int b = 0; b < BANDS; b++) {
        struct Band *band = &g->bands[b];
        band->first = b * height < g->columns ? b * height : g->columns;
        band->end = band->first + height < g->columns ? band->first + height : g->columns;
        if (!prepare_band(g, band, error))
            return false;
        const size_t bytes = band->product ? primitive_scratch_bytes(band->product) : 0;
        scratch = bytes > scratch ? bytes : scratch;
    }
    g->scratch = memory_large(scratch, 1, "room for matrix products", error);
    return g->scratch != NULL;
}

bool patch_gram_make(PatchGram **result, const Value *z, int kinds, int outputs, Error *error)
{
    PatchGram *g = memory_small(1, sizeof *g);
    const int pixels = z->h * z->w;
    *g = (PatchGram){.z = z,
                     .type = z->type,
                     .kinds = kinds,
                     .outputs = outputs,
                     .parts = z->type == DTYPE_BF16 ? BF16_PARTS : 1,
                     .features = patch_gram_features(z->c),
                     .chunk = pixels < MAX_ROWS ? MAX_ROWS / pixels : 1};
    if (g->chunk > z->n)
        g->chunk = z->n;
    g->columns = round_up(g->features + kinds * outputs * g->parts, LANES);
    const size_t columns = (size_t)g->columns;
    g->rows = memory_large(chunk_rows(g) * columns, dtype_size(g->type), "patches", error);
    g->square =
        g->rows ? memory_large(columns * columns, sizeof *g->square, "a Gram matrix", error) : NULL;
    const bool done = g->square && prepare_bands(g, error);
    product_check_end();
    if (done) {
        *result = g;
        return true;
    }
    patch_gram_free(g);
    return false;
}

void patch_gram_free(PatchGram *g)
{
    if (!g)
        return;
    for (int b = 0; b < BANDS; b++)
        primitive_free(g->bands[b].product);
    memory_free(g->rows);
    memory_free(g->square);
    memory_free(g->scratch);
    memory_free(g);
}

/* -- A ---------------------------------------------------------------------------------------- */

/* The patch around (x, y) of an image; what lies outside is zero. Neighbours of one row are
 * neighbours in memory too. */
static char *write_patch(const PatchGram *g, const char *image, int x, int y, char *to)
{
    const Value *z = g->z;
    const size_t pixel = (size_t)z->c * dtype_size(g->type);
    const int left = x > 0 ? x - 1 : 0, right = x + 1 < z->w ? x + 1 : x;
    for (int ny = y - 1; ny <= y + 1; ny++, to += 3 * pixel) {
        if (ny < 0 || ny >= z->h || left > x - 1 || right < x + 1)
            memset(to, 0, 3 * pixel);
        if (ny >= 0 && ny < z->h)
            memcpy(to + (size_t)(left - (x - 1)) * pixel,
                   image + ((size_t)ny * (size_t)z->w + (size_t)left) * pixel,
                   (size_t)(right - left + 1) * pixel);
    }
    return to;
}

/* Splits y into numbers of the type whose sum is y, to the last bit. */
static void write_target(const PatchGram *g, void *row, size_t column, float y)
{
    for (int p = 0; p < g->parts; p++) {
        store(row, g->type, column + (size_t)p, y);
        y -= load(row, g->type, column + (size_t)p);
    }
}

static void write_row(const PatchGram *g, const float *const *y, size_t pixel, void *row)
{
    store(row, g->type, (size_t)g->features - 1, 1);
    for (int k = 0; k < g->kinds; k++)
        for (int c = 0; c < g->outputs; c++)
            write_target(g, row, (size_t)(g->features + (k * g->outputs + c) * g->parts),
                         y[k][pixel * (size_t)g->outputs + (size_t)c]);
}

/* The rows of image `image` of the batch, at `to`. */
static void write_image(const PatchGram *g, const float *const *y, int image, char *to)
{
    const Value *z = g->z;
    const size_t pixels = (size_t)(z->h * z->w), first = (size_t)image * pixels;
    const size_t row_bytes = (size_t)g->columns * dtype_size(g->type);
    const char *from = dtype_at(z->data, g->type, first * (size_t)z->c);
    for (size_t p = 0; p < pixels; p++, to += row_bytes) {
        write_patch(g, from, (int)p % z->w, (int)p / z->w, to);
        write_row(g, y, first + p, to);
    }
}

static void write_rows(const PatchGram *g, const float *const *y, int first)
{
    const size_t pixels = (size_t)(g->z->h * g->z->w);
    const size_t image_bytes = pixels * (size_t)g->columns * dtype_size(g->type);
#pragma omp parallel for
    for (int i = 0; i < g->chunk; i++) {
        char *to = g->rows + (size_t)i * image_bytes;
        if (first + i < g->z->n)
            write_image(g, y, first + i, to);
        else
            memset(to, 0, image_bytes); /* rows that add nothing */
    }
}

/* -- A'A -------------------------------------------------------------------------------------- */

static bool multiply(const PatchGram *g, Error *error)
{
    for (int b = 0; b < BANDS; b++) {
        const struct Band *band = &g->bands[b];
        void *operands[OPERAND_COUNT] = {
            [OPERAND_SRC] = dtype_at(g->rows, g->type, (size_t)band->first),
            [OPERAND_WEIGHTS] = g->rows,
            [OPERAND_DST] = g->square + (size_t)band->first * (size_t)g->columns,
        };
        if (band->product && !primitive_run(band->product, operands, g->scratch, error))
            return false;
    }
    return true;
}

static void add_products(const PatchGram *g, double *products)
{
#pragma omp parallel for schedule(static, 8)
    for (size_t i = 0; i < (size_t)g->features; i++) {
        double *to = products + i * (i + 1) / 2;
        const float *from = g->square + i * (size_t)g->columns;
        for (size_t j = 0; j <= i; j++)
            to[j] += (double)from[j];
    }
}

static void add_moments(const PatchGram *g, double *moments)
{
    const size_t features = (size_t)g->features, rows = (size_t)(g->kinds * g->outputs * g->parts);
    for (size_t i = 0; i < rows; i++) {
        double *to = moments + i / (size_t)g->parts * features;
        const float *from = g->square + (features + i) * (size_t)g->columns;
        for (size_t j = 0; j < features; j++)
            to[j] += (double)from[j];
    }
}

bool patch_gram_add(PatchGram *g, const float *const *y, double *products, double *moments,
                    Error *error)
{
    for (int first = 0; first < g->z->n; first += g->chunk) {
        write_rows(g, y, first);
        if (!multiply(g, error))
            return false;
        add_products(g, products);
        add_moments(g, moments);
    }
    return true;
}

void patch_gram_weights(const double *w, int channels, float *kernel, float *bias)
{
    for (int k = 0; k < NEIGHBOURS; k++)
        for (int c = 0; c < channels; c++)
            kernel[c * NEIGHBOURS + k] = (float)w[k * channels + c];
    *bias = (float)w[NEIGHBOURS * channels];
}
