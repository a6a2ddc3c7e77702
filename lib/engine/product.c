/* Products in words and in numbers of elements. */
#include "engine/product.h"

#include "base/memory.h"

static const char *type_text(DType type)
{
    return type == DTYPE_F32 ? "f32" : "bf16";
}

static char *conv_text(const Product *p)
{
    static const char *const passes[] = {[CONV_FORWARD] = "forward",
                                         [CONV_BACKWARD_DATA] = "backward data",
                                         [CONV_BACKWARD_WEIGHTS] = "backward weights"};
    const ConvShape *s = &p->conv;
    return memory_format("convolution %s [%d, %d, %d, %d] -> [%d, %d, %d, %d], %dx%d, stride %d, "
                         "padding %d+%d, %s -> %s%s%s",
                         passes[p->pass], s->n, s->in_height, s->in_width, s->in_channels, s->n,
                         s->out_height, s->out_width, s->out_channels, conv_kernel_height(s),
                         conv_kernel_width(s), s->stride, s->pad_begin, s->pad_end,
                         type_text(p->type), type_text(p->dst_type),
                         p->added ? ", and a tensor added" : "", p->direct ? ", direct" : "");
}

static char *matmul_text(const MatmulShape *s)
{
    return memory_format(
        "matrix product %lld x [%lld, %lld] [%lld, %lld], strides %lld %lld %lld, %lld %lld %lld, "
        "%lld %lld, %s %s -> %s%s%s%s",
        (long long)s->batch, (long long)s->m, (long long)s->k, (long long)s->k, (long long)s->n,
        (long long)s->a_batch, (long long)s->a_row, (long long)s->a_column, (long long)s->b_batch,
        (long long)s->b_row, (long long)s->b_column, (long long)s->c_batch, (long long)s->c_row,
        type_text(s->a_type), type_text(s->b_type), type_text(s->c_type), s->bias ? ", bias" : "",
        s->accumulate ? ", adds to the result" : "", s->b_packed ? ", packed" : "");
}

char *product_text(const Product *product)
{
    return product->is_matmul ? matmul_text(&product->matmul) : conv_text(product);
}

double product_operations(const Product *product)
{
    const MatmulShape *m = &product->matmul;
    const ConvShape *c = &product->conv;
    if (product->is_matmul)
        return 2.0 * (double)m->batch * (double)m->m * (double)m->n * (double)m->k;
    /* Every pass multiplies each output with the weights that reach it. */
    return 2.0 * (double)conv_dst_count(c) * conv_kernel_height(c) * conv_kernel_width(c) *
           c->in_channels;
}

int64_t conv_src_count(const ConvShape *s)
{
    return (int64_t)s->n * s->in_height * s->in_width * s->in_channels;
}

int64_t conv_dst_count(const ConvShape *s)
{
    return (int64_t)s->n * s->out_height * s->out_width * s->out_channels;
}

int64_t conv_weights_count(const ConvShape *s)
{
    return (int64_t)s->out_channels * s->in_channels * conv_kernel_height(s) * conv_kernel_width(s);
}

int64_t matmul_a_count(const MatmulShape *s)
{
    return (s->batch - 1) * s->a_batch + (s->m - 1) * s->a_row + (s->k - 1) * s->a_column + 1;
}

int64_t matmul_b_count(const MatmulShape *s)
{
    return (s->batch - 1) * s->b_batch + (s->k - 1) * s->b_row + (s->n - 1) * s->b_column + 1;
}

int64_t matmul_c_count(const MatmulShape *s)
{
    return (s->batch - 1) * s->c_batch + (s->m - 1) * s->c_row + s->n;
}
