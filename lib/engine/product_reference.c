/* The definitions of convolution and matrix product, an element at a time. A convolution is
 *
 *     dst[n, y, x, o] = bias[o] + sum over i, ky, kx of
 *                       src[n, y stride + ky - pad, x stride + kx - pad, i] weights[o, i, ky, kx]
 *
 * with src zero outside; the backward passes are the derivatives of sum(dst dst_gradient).
 */
#include "engine/product_reference.h"

#include <math.h>

void expected_add(Expected *expected, double term)
{
    expected->value += term;
    expected->squares += term * term;
    expected->terms++;
}

void expected_widen(Expected *expected, int64_t terms, double mean_square)
{
    const double factor = 4;
    expected->terms = terms;
    expected->squares = factor * factor * (double)terms * mean_square;
}

double expected_tolerance(const Expected *e, DType type)
{
    const double unit = 0x1p-24, allowed = 8;
    const double rounding = type == DTYPE_F32 ? 0x1p-23 : 0x1p-8;
    return allowed * unit * sqrt((double)e->terms * e->squares) + rounding * fabs(e->value);
}

static double element(const ProductOperands *operands, Operand which, int64_t index)
{
    const Tensor *tensor = &operands->of[which];
    return (double)load(tensor->data, tensor->type, (size_t)index);
}

static double src_at(const ConvShape *s, const ProductOperands *operands, int64_t n, int64_t y,
                     int64_t x, int64_t c)
{
    return element(operands, OPERAND_SRC,
                   ((n * s->in_height + y) * s->in_width + x) * s->in_channels + c);
}

static double dst_at(const ConvShape *s, const ProductOperands *operands, Operand which, int64_t n,
                     int64_t y, int64_t x, int64_t c)
{
    return element(operands, which,
                   ((n * s->out_height + y) * s->out_width + x) * s->out_channels + c);
}

static double weight_at(const ConvShape *s, const ProductOperands *operands, int64_t o, int64_t i,
                        int64_t y, int64_t x)
{
    return element(operands, OPERAND_WEIGHTS,
                   ((o * s->in_channels + i) * conv_kernel_height(s) + y) * conv_kernel_width(s) +
                       x);
}

static bool is_inside(int64_t at, int size)
{
    return at >= 0 && at < size;
}

static Expected forward(const Product *product, const ProductOperands *operands, const int64_t *at)
{
    const ConvShape *s = &product->conv;
    Expected sum = {0};
    expected_add(&sum, element(operands, OPERAND_BIAS, at[3]));
    if (product->added)
        expected_add(&sum, dst_at(s, operands, OPERAND_ADDED, at[0], at[1], at[2], at[3]));
    for (int ky = 0; ky < conv_kernel_height(s); ky++)
        for (int kx = 0; kx < conv_kernel_width(s); kx++) {
            const int64_t y = at[1] * s->stride + ky - conv_pad_above(s);
            const int64_t x = at[2] * s->stride + kx - conv_pad_left(s);
            if (!is_inside(y, s->in_height) || !is_inside(x, s->in_width))
                continue;
            for (int i = 0; i < s->in_channels; i++)
                expected_add(&sum, src_at(s, operands, at[0], y, x, i) *
                                       weight_at(s, operands, at[3], i, ky, kx));
        }
    return sum;
}

static Expected backward_data(const Product *product, const ProductOperands *operands,
                              const int64_t *at)
{
    const ConvShape *s = &product->conv;
    Expected sum = {0};
    for (int ky = 0; ky < conv_kernel_height(s); ky++)
        for (int kx = 0; kx < conv_kernel_width(s); kx++) {
            const int64_t y = at[1] + conv_pad_above(s) - ky, x = at[2] + conv_pad_left(s) - kx;
            if (y % s->stride != 0 || x % s->stride != 0 ||
                !is_inside(y / s->stride, s->out_height) || !is_inside(x / s->stride, s->out_width))
                continue;
            for (int o = 0; o < s->out_channels; o++)
                expected_add(
                    &sum, dst_at(s, operands, OPERAND_DST, at[0], y / s->stride, x / s->stride, o) *
                              weight_at(s, operands, o, at[3], ky, kx));
        }
    return sum;
}

static Expected backward_weights(const Product *product, const ProductOperands *operands,
                                 const int64_t *at)
{
    const ConvShape *s = &product->conv;
    Expected sum = {0};
    for (int n = 0; n < s->n; n++)
        for (int y = 0; y < s->out_height; y++)
            for (int x = 0; x < s->out_width; x++) {
                const int64_t from_y = (int64_t)y * s->stride + at[2] - conv_pad_above(s);
                const int64_t from_x = (int64_t)x * s->stride + at[3] - conv_pad_left(s);
                if (is_inside(from_y, s->in_height) && is_inside(from_x, s->in_width))
                    expected_add(&sum, src_at(s, operands, n, from_y, from_x, at[1]) *
                                           dst_at(s, operands, OPERAND_DST, n, y, x, at[0]));
            }
    return sum;
}

static Expected matrix_element(const MatmulShape *s, const ProductOperands *operands,
                               const int64_t *at)
{
    Expected sum = {0};
    if (s->bias)
        expected_add(&sum, element(operands, OPERAND_BIAS, at[2]));
    for (int64_t k = 0; k < s->k; k++) {
        const int64_t a = at[0] * s->a_batch + at[1] * s->a_row + k * s->a_column;
        const int64_t b = at[0] * s->b_batch + k * s->b_row + at[2] * s->b_column;
        expected_add(&sum,
                     element(operands, OPERAND_SRC, a) * element(operands, OPERAND_WEIGHTS, b));
    }
    return sum;
}

Expected product_element(const Product *product, const ProductOperands *operands, const int64_t *at)
{
    if (product->is_matmul)
        return matrix_element(&product->matmul, operands, at);
    switch (product->pass) {
    case CONV_FORWARD:
        return forward(product, operands, at);
    case CONV_BACKWARD_DATA:
        return backward_data(product, operands, at);
    default:
        return backward_weights(product, operands, at);
    }
}

Expected product_bias_gradient(const Product *product, const ProductOperands *operands,
                               int64_t channel)
{
    const ConvShape *s = &product->conv;
    Expected sum = {0};
    for (int64_t pixel = 0; pixel < (int64_t)s->n * s->out_height * s->out_width; pixel++)
        expected_add(&sum, element(operands, OPERAND_DST, pixel * s->out_channels + channel));
    return sum;
}
