/* Builds the network block by block, as the papers draw them: each block is some branches side by
 * side, whose channels are joined. The letters are those of pytorch-fid. */
#include "model/inception.h"

#include "layers/layers.h"

#include <stdio.h>

typedef struct Block {
    Graph *graph;
    const char *name;
    Value *input;
} Block;

/* -- Convolutions ------------------------------------------------------------------------------ */

static void name_of(const Block *b, const char *name, char text[PARAM_NAME_SIZE])
{
    snprintf(text, PARAM_NAME_SIZE, "%s%s%s", b->name, *b->name ? "." : "", name);
}

static Value *convolution(const Block *b, Value *x, const char *name, int channels, Conv conv)
{
    char text[PARAM_NAME_SIZE];
    name_of(b, name, text);
    return nn_relu(b->graph, nn_conv2d(b->graph, x, text, channels, conv));
}

/* 1 x 1. */
static Value *point(const Block *b, Value *x, const char *name, int channels)
{
    char text[PARAM_NAME_SIZE];
    name_of(b, name, text);
    return nn_relu(b->graph, nn_conv1x1(b->graph, x, text, channels, NULL));
}

/* k x k, and the size stays. */
static Value *square(const Block *b, Value *x, const char *name, int channels, int kernel)
{
    const int padding = kernel / 2;
    return convolution(b, x, name, channels,
                       (Conv){.kernel = kernel, .pad_begin = padding, .pad_end = padding});
}

/* 3 x 3 without padding. */
static Value *inner(const Block *b, Value *x, const char *name, int channels, int stride)
{
    return convolution(b, x, name, channels, (Conv){.kernel = 3, .stride = stride});
}

/* 1 x k or k x 1, and the size stays. */
static Value *line(const Block *b, Value *x, const char *name, int channels, int kernel,
                   ConvSpan span)
{
    const int padding = kernel / 2;
    return convolution(
        b, x, name, channels,
        (Conv){.kernel = kernel, .span = span, .pad_begin = padding, .pad_end = padding});
}

/* -- Windows ----------------------------------------------------------------------------------- */

/* 3 x 3, and the size stays. */
static Value *around(const Block *b, bool mean)
{
    return nn_window(b->graph, b->input,
                     (Window){.size = 3, .stride = 1, .padding = 1, .mean = mean});
}

/* 3 x 3, and the size becomes half. */
static Value *halved(Graph *graph, Value *x)
{
    return nn_window(graph, x, (Window){.size = 3, .stride = 2});
}

static Value *join(const Block *b, Value *const *branches, int count)
{
    Value *all = branches[0];
    for (int i = 1; i < count; i++)
        all = nn_concat(b->graph, all, branches[i]);
    return all;
}

/* -- Blocks ------------------------------------------------------------------------------------ */

/* Three sizes of square kernels, on 35 x 35 pixels. */
static Value *block_a(Graph *graph, Value *x, const char *name, int pooled)
{
    const Block b = {graph, name, x};
    Value *five = point(&b, x, "branch5x5_1", 48);
    Value *three = point(&b, x, "branch3x3dbl_1", 64);
    three = square(&b, three, "branch3x3dbl_2", 96, 3);
    Value *const branches[] = {
        point(&b, x, "branch1x1", 64),
        square(&b, five, "branch5x5_2", 64, 5),
        square(&b, three, "branch3x3dbl_3", 96, 3),
        point(&b, around(&b, true), "branch_pool", pooled),
    };
    return join(&b, branches, 4);
}

/* From 35 to 17 pixels. */
static Value *block_b(Graph *graph, Value *x, const char *name)
{
    const Block b = {graph, name, x};
    Value *twice = point(&b, x, "branch3x3dbl_1", 64);
    twice = square(&b, twice, "branch3x3dbl_2", 96, 3);
    Value *const branches[] = {
        inner(&b, x, "branch3x3", 384, 2),
        inner(&b, twice, "branch3x3dbl_3", 96, 2),
        halved(graph, x),
    };
    return join(&b, branches, 3);
}

/* Rows and columns of 7 pixels, `width` channels inside, on 17 x 17 pixels. */
static Value *block_c(Graph *graph, Value *x, const char *name, int width)
{
    const Block b = {graph, name, x};
    Value *once = point(&b, x, "branch7x7_1", width);
    once = line(&b, once, "branch7x7_2", width, 7, CONV_ROW);
    Value *twice = point(&b, x, "branch7x7dbl_1", width);
    twice = line(&b, twice, "branch7x7dbl_2", width, 7, CONV_COLUMN);
    twice = line(&b, twice, "branch7x7dbl_3", width, 7, CONV_ROW);
    twice = line(&b, twice, "branch7x7dbl_4", width, 7, CONV_COLUMN);
    Value *const branches[] = {
        point(&b, x, "branch1x1", 192),
        line(&b, once, "branch7x7_3", 192, 7, CONV_COLUMN),
        line(&b, twice, "branch7x7dbl_5", 192, 7, CONV_ROW),
        point(&b, around(&b, true), "branch_pool", 192),
    };
    return join(&b, branches, 4);
}

/* From 17 to 8 pixels. */
static Value *block_d(Graph *graph, Value *x, const char *name)
{
    const Block b = {graph, name, x};
    Value *three = point(&b, x, "branch3x3_1", 192);
    Value *seven = point(&b, x, "branch7x7x3_1", 192);
    seven = line(&b, seven, "branch7x7x3_2", 192, 7, CONV_ROW);
    seven = line(&b, seven, "branch7x7x3_3", 192, 7, CONV_COLUMN);
    Value *const branches[] = {
        inner(&b, three, "branch3x3_2", 320, 2),
        inner(&b, seven, "branch7x7x3_4", 192, 2),
        halved(graph, x),
    };
    return join(&b, branches, 3);
}

/* Rows beside columns of 3 pixels, on 8 x 8 pixels. The first block of this kind takes means of 3 x 3
 * pixels, the second the largest. */
static Value *block_e(Graph *graph, Value *x, const char *name, bool mean)
{
    const Block b = {graph, name, x};
    Value *once = point(&b, x, "branch3x3_1", 384);
    Value *twice = point(&b, x, "branch3x3dbl_1", 448);
    twice = square(&b, twice, "branch3x3dbl_2", 384, 3);
    Value *const branches[] = {
        point(&b, x, "branch1x1", 320),
        line(&b, once, "branch3x3_2a", 384, 3, CONV_ROW),
        line(&b, once, "branch3x3_2b", 384, 3, CONV_COLUMN),
        line(&b, twice, "branch3x3dbl_3a", 384, 3, CONV_ROW),
        line(&b, twice, "branch3x3dbl_3b", 384, 3, CONV_COLUMN),
        point(&b, around(&b, mean), "branch_pool", 192),
    };
    return join(&b, branches, 6);
}

/* -- The network ------------------------------------------------------------------------------- */

/* From 299 to 35 pixels. */
static Value *stem(Graph *graph, Value *x)
{
    const Block b = {graph, "", x};
    x = inner(&b, x, "Conv2d_1a_3x3", 32, 2);
    x = inner(&b, x, "Conv2d_2a_3x3", 32, 1);
    x = square(&b, x, "Conv2d_2b_3x3", 64, 3);
    x = halved(graph, x);
    x = point(&b, x, "Conv2d_3b_1x1", 80);
    x = inner(&b, x, "Conv2d_4a_3x3", 192, 1);
    return halved(graph, x);
}

Inception inception_build(Graph *graph)
{
    Inception net = {.images = graph_input(graph, INCEPTION_SIDE, INCEPTION_SIDE, 3)};
    Value *x = stem(graph, net.images);
    x = block_a(graph, x, "Mixed_5b", 32);
    x = block_a(graph, x, "Mixed_5c", 64);
    x = block_a(graph, x, "Mixed_5d", 64);
    x = block_b(graph, x, "Mixed_6a");
    x = block_c(graph, x, "Mixed_6b", 128);
    x = block_c(graph, x, "Mixed_6c", 160);
    x = block_c(graph, x, "Mixed_6d", 160);
    x = block_c(graph, x, "Mixed_6e", 192);
    x = block_d(graph, x, "Mixed_7a");
    x = block_e(graph, x, "Mixed_7b", true);
    x = block_e(graph, x, "Mixed_7c", false);
    net.features =
        nn_window(graph, x, (Window){.size = value_height(x), .stride = 1, .mean = true});
    graph_keep(graph, net.features);
    return net;
}

/* -- Its input --------------------------------------------------------------------------------- */

/* Where a pixel of the result lies in the picture: between two of its pixels, at `share` of the way
 * from the first to the second. */
typedef struct Place {
    int first, second;
    float share;
} Place;

/* In float32, as TensorFlow computes it. */
static Place place_of(int i, int size)
{
    const float at = (float)i * ((float)size / (float)INCEPTION_SIDE);
    const int first = (int)at;
    return (Place){first, first + 1 < size ? first + 1 : size - 1, at - (float)first};
}

static float between(float a, float b, float share)
{
    return a + (b - a) * share;
}

void inception_input(const uint8_t *pixels, int height, int width, int channels, float *image)
{
    const size_t line = (size_t)width * (size_t)channels;
    for (int y = 0; y < INCEPTION_SIDE; y++) {
        const Place row = place_of(y, height);
        const uint8_t *above = pixels + (size_t)row.first * line;
        const uint8_t *below = pixels + (size_t)row.second * line;
        for (int x = 0; x < INCEPTION_SIDE; x++) {
            const Place column = place_of(x, width);
            for (int c = 0; c < 3; c++) {
                const int of = channels == 3 ? c : 0;
                const int a = column.first * channels + of, b = column.second * channels + of;
                const float top = between(above[a], above[b], column.share);
                const float bottom = between(below[a], below[b], column.share);
                *image++ = (between(top, bottom, row.share) - 128) / 128;
            }
        }
    }
}
