/* The kernels of group_norm_kernels.h in C, for one instruction set. The including file defines
 *
 *     LANES      floats in a vector
 *     KERNELS    the name of the table
 *
 * and says for which instruction set the compiler is to translate what follows.
 *
 * A pass takes some pixels at a time, which stay in the first-level cache, and of these one or two
 * vectors of channels at a time: a part. The numbers and sums of its channels stay in registers
 * while its pixels pass by. walk cuts an image into parts. The first pass over an image in memory
 * fetches the next pixels ahead, since processors do not foresee the jumps from row to row.
 */
#include "layers/group_norm_vectors.h"

enum {
    /* Vectors of channels in a part at most, and its pixels that are computed step by step. */
    WIDEST = 2,
    ROWS = MOST_VECS / WIDEST,
    /* Elements of an image that a pass takes at a time. */
    BLOCK = 2048,
};

/* The arrays of a pass, those of them that it has. */
typedef struct Pass {
    const NormImage *image;
    NormAffine affine;
    NormDropout dropout;
    /* [pixels, channels]. */
    const void *in;
    void *out;
    /* [channels]. */
    const float *a, *b;
    float *sum, *other;
} Pass;

/* A part of an image: its first element and its first channel, its pixels, its vectors and the
 * channels of each. */
typedef struct Part {
    size_t at, channel, pixels;
    int vectors;
    size_t count;
} Part;

/* A vector of numbers per channel for each vector of the part. */
typedef struct Numbers {
    Vec v[WIDEST];
} Numbers;

INLINED Numbers read_numbers(const float *from, Part part)
{
    Numbers n = {{{0}}};
    for (int v = 0; v < part.vectors; v++)
        n.v[v] = load_some(from, DTYPE_F32, part.channel + (size_t)v * LANES, part.count);
    return n;
}

INLINED void write_numbers(float *to, Numbers n, Part part)
{
    for (int v = 0; v < part.vectors; v++)
        store_some(to, DTYPE_F32, part.channel + (size_t)v * LANES, n.v[v], part.count);
}

typedef void PartPass(const Pass *pass, DType type, bool flag, Part part);

/* Runs a pass on all parts. `first` is that of the first pixel. */
INLINED void walk(PartPass *run, const Pass *pass, DType type, bool flag, size_t first)
{
    const size_t channels = pass->image->channels, pixels = pass->image->pixels;
    const size_t some = BLOCK / channels > ROWS ? BLOCK / channels : ROWS;
    for (size_t p = first; p < pixels; p += some) {
        Part part = {.at = p * channels, .pixels = pixels - p < some ? pixels - p : some};
        while (part.channel + WIDEST * LANES <= channels) {
            run(pass, type, flag,
                (Part){part.at + part.channel, part.channel, part.pixels, WIDEST, LANES});
            part.channel += WIDEST * LANES;
        }
        while (part.channel + LANES <= channels) {
            run(pass, type, flag,
                (Part){part.at + part.channel, part.channel, part.pixels, 1, LANES});
            part.channel += LANES;
        }
        if (part.channel < channels)
            run(pass, type, flag,
                (Part){part.at + part.channel, part.channel, part.pixels, 1,
                       channels - part.channel});
    }
}

/* The same, compiled for each type and flag. */
INLINED void walk_any(PartPass *run, const Pass *pass, bool flag, size_t first)
{
    const DType type = pass->image->type;
    if (type == DTYPE_F32 && flag)
        walk(run, pass, DTYPE_F32, true, first);
    else if (type == DTYPE_F32)
        walk(run, pass, DTYPE_F32, false, first);
    else if (flag)
        walk(run, pass, DTYPE_BF16, true, first);
    else
        walk(run, pass, DTYPE_BF16, false, first);
}

static void clear(float *numbers, size_t count)
{
    memset(numbers, 0, count * sizeof *numbers);
}

/* -- Sums ------------------------------------------------------------------------------------- */

INLINED void sums_part(const Pass *pass, DType type, bool flag, Part part)
{
    (void)flag;
    const Numbers first = read_numbers(pass->a, part);
    Numbers sum = read_numbers(pass->sum, part), square = read_numbers(pass->other, part);
    for (size_t p = 0, at = part.at; p < part.pixels; p++, at += pass->image->channels)
        for (int v = 0; v < part.vectors; v++) {
            const size_t i = at + (size_t)v * LANES;
            const Vec d = load_some(pass->image->x, type, i, part.count) - first.v[v];
            __builtin_prefetch(dtype_at(pass->image->x, type, i + BLOCK));
            sum.v[v] += d;
            square.v[v] += d * d;
        }
    write_numbers(pass->sum, sum, part);
    write_numbers(pass->other, square, part);
}

static void sums(const NormImage *image, float *first, float *sum, float *square)
{
    const Pass pass = {.image = image, .a = first, .sum = sum, .other = square};
    for (size_t c = 0; c < image->channels; c++)
        first[c] = load(image->x, image->type, c);
    clear(sum, image->channels);
    clear(square, image->channels);
    if (image->type == DTYPE_F32)
        walk(sums_part, &pass, DTYPE_F32, false, 1);
    else
        walk(sums_part, &pass, DTYPE_BF16, false, 1);
}

/* -- Forward ---------------------------------------------------------------------------------- */

/* The first element of the part's vector k, row by row. */
INLINED size_t place(const Pass *pass, Part part, int k)
{
    const int row = k / part.vectors, v = k % part.vectors;
    return part.at + (size_t)row * pass->image->channels + (size_t)v * LANES;
}

/* `rows` pixels of a part, the first at part.at. */
INLINED void normalise_rows(const Pass *pass, DType type, bool with_silu, Part part, size_t rows,
                            Numbers scale, Numbers offset)
{
    const int count = (int)rows * part.vectors;
    size_t i[MOST_VECS];
    Vec z[MOST_VECS], s[MOST_VECS];
    EACH i[k] = place(pass, part, k);
    EACH z[k] = load_some(pass->image->x, type, i[k], part.count);
    EACH z[k] = scale.v[k % part.vectors] * z[k] + offset.v[k % part.vectors];
    if (with_silu) {
        sigmoid_vecs(s, z, count);
        EACH z[k] *= s[k];
    }
    if (pass->dropout.bits)
        EACH z[k] *= dropout_vec(pass->dropout.bits, i[k], pass->dropout.scale);
    EACH store_some(pass->out, type, i[k], z[k], part.count);
}

INLINED void normalise_part(const Pass *pass, DType type, bool with_silu, Part part)
{
    const Numbers scale = read_numbers(pass->affine.scale, part);
    const Numbers offset = read_numbers(pass->affine.offset, part);
    size_t p = 0;
    for (; p + ROWS <= part.pixels; p += ROWS, part.at += ROWS * pass->image->channels)
        normalise_rows(pass, type, with_silu, part, ROWS, scale, offset);
    for (; p < part.pixels; p++, part.at += pass->image->channels)
        normalise_rows(pass, type, with_silu, part, 1, scale, offset);
}

static void normalise(const NormImage *image, bool with_silu, const float *scale,
                      const float *offset, NormDropout dropout, void *y)
{
    const Pass pass = {
        .image = image, .affine = {scale, offset, NULL, NULL}, .dropout = dropout, .out = y};
    walk_any(normalise_part, &pass, with_silu, 0);
}

/* -- Backward --------------------------------------------------------------------------------- */

/* affine: scale, offset, weight, bias. */
INLINED void backward_sums_rows(const Pass *pass, DType type, bool with_silu, Part part,
                                size_t rows, const Numbers *affine, Numbers *sum, Numbers *sum_xhat)
{
    const int count = (int)rows * part.vectors;
    size_t i[MOST_VECS];
    Vec xhat[MOST_VECS], d[MOST_VECS], s[MOST_VECS];
    EACH i[k] = place(pass, part, k);
    EACH xhat[k] = load_some(pass->image->x, type, i[k], part.count);
    EACH xhat[k] = affine[0].v[k % part.vectors] * xhat[k] + affine[1].v[k % part.vectors];
    EACH d[k] = load_some(pass->in, type, i[k], part.count);
    EACH __builtin_prefetch(dtype_at(pass->image->x, type, i[k] + BLOCK));
    EACH __builtin_prefetch(dtype_at(pass->in, type, i[k] + BLOCK));
    if (with_silu) {
        Vec z[MOST_VECS];
        EACH z[k] = affine[2].v[k % part.vectors] * xhat[k] + affine[3].v[k % part.vectors];
        sigmoid_vecs(s, z, count);
        EACH z[k] -= z[k] * s[k]; /* silu'(z) = s + s z (1 - s) */
        EACH d[k] *= s[k];
        EACH d[k] += d[k] * z[k];
    }
    if (pass->dropout.bits)
        EACH d[k] *= dropout_vec(pass->dropout.bits, i[k], pass->dropout.scale);
    EACH store_some(pass->out, DTYPE_F32, i[k], d[k], part.count);
    EACH sum->v[k % part.vectors] += d[k];
    EACH sum_xhat->v[k % part.vectors] += d[k] * xhat[k];
}

INLINED void backward_sums_part(const Pass *pass, DType type, bool with_silu, Part part)
{
    const Numbers affine[] = {
        read_numbers(pass->affine.scale, part), read_numbers(pass->affine.offset, part),
        read_numbers(pass->affine.weight, part), read_numbers(pass->affine.bias, part)};
    Numbers sum = read_numbers(pass->sum, part), sum_xhat = read_numbers(pass->other, part);
    size_t p = 0;
    for (; p + ROWS <= part.pixels; p += ROWS, part.at += ROWS * pass->image->channels)
        backward_sums_rows(pass, type, with_silu, part, ROWS, affine, &sum, &sum_xhat);
    for (; p < part.pixels; p++, part.at += pass->image->channels)
        backward_sums_rows(pass, type, with_silu, part, 1, affine, &sum, &sum_xhat);
    write_numbers(pass->sum, sum, part);
    write_numbers(pass->other, sum_xhat, part);
}

static void backward_sums(const NormImage *image, bool with_silu, NormAffine affine,
                          NormDropout dropout, const void *dy, float *dz, float *sum,
                          float *sum_xhat)
{
    const Pass pass = {.image = image,
                       .affine = affine,
                       .dropout = dropout,
                       .in = dy,
                       .out = dz,
                       .sum = sum,
                       .other = sum_xhat};
    clear(sum, image->channels);
    clear(sum_xhat, image->channels);
    walk_any(backward_sums_part, &pass, with_silu, 0);
}

INLINED void backward_input_part(const Pass *pass, DType type, bool add, Part part)
{
    const Numbers scale = read_numbers(pass->affine.scale, part);
    const Numbers offset = read_numbers(pass->affine.offset, part);
    const Numbers weight = read_numbers(pass->affine.weight, part);
    const Numbers a = read_numbers(pass->a, part), b = read_numbers(pass->b, part);
    Numbers sum = read_numbers(pass->sum, part);
    for (size_t p = 0, at = part.at; p < part.pixels; p++, at += pass->image->channels)
        for (int v = 0; v < part.vectors; v++) {
            const size_t i = at + (size_t)v * LANES;
            const Vec x = load_some(pass->image->x, type, i, part.count);
            const Vec dz = load_some(pass->in, DTYPE_F32, i, part.count);
            const Vec xhat = scale.v[v] * x + offset.v[v];
            const Vec du = scale.v[v] * (weight.v[v] * dz - a.v[v] - xhat * b.v[v]);
            sum.v[v] += du;
            Vec dx = du;
            if (add)
                dx += load_some(pass->out, type, i, part.count);
            store_some(pass->out, type, i, dx, part.count);
        }
    write_numbers(pass->sum, sum, part);
}

static void backward_input(const NormImage *image, bool add, NormAffine affine, const float *a,
                           const float *b, const float *dz, void *dx, float *d_shift)
{
    const Pass pass = {
        .image = image, .affine = affine, .in = dz, .out = dx, .a = a, .b = b, .sum = d_shift};
    clear(d_shift, image->channels);
    walk_any(backward_input_part, &pass, add, 0);
}

const NormKernels KERNELS = {
    .lanes = LANES,
    .sums = sums,
    .normalise = normalise,
    .backward_sums = backward_sums,
    .backward_input = backward_input,
};
