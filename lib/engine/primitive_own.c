/* A table of two: weight gradients on AMX in bfloat16, and Winograd's algorithm in float32. */
#include "engine/primitive_own.h"

#include "engine/amx.h"
#include "engine/onednn.h"
#include "engine/weight_gradient.h"
#include "engine/winograd.h"

#include <string.h>

/* -- Weight gradients on AMX ------------------------------------------------------------------ */

static const char *amx_name(void)
{
    return "varhead:amx_bf16";
}

/* With AMX, and channels enough to fill its tiles. */
static bool amx_takes(const Product *product)
{
    const int least = 16;
    return !product->is_matmul && product->pass == CONV_BACKWARD_WEIGHTS &&
           product->type == DTYPE_BF16 && product->conv.span == CONV_SQUARE &&
           product->conv.in_channels >= least && product->conv.out_channels >= least &&
           amx_available() &&
           ((int)dnnl_get_effective_cpu_isa() & dnnl_cpu_isa_avx512_core_amx) ==
               dnnl_cpu_isa_avx512_core_amx;
}

static size_t amx_scratch_bytes(const Product *product, int threads)
{
    return weight_gradient_scratch_bytes(&product->conv, threads);
}

static void amx_run(const Product *product, int threads, void *const *operands, void *scratch)
{
    weight_gradient(&product->conv, threads, operands[OPERAND_SRC], operands[OPERAND_DST],
                    operands[OPERAND_WEIGHTS], operands[OPERAND_BIAS], scratch);
}

/* -- Winograd's algorithm --------------------------------------------------------------------- */

static const char *winograd_name(void)
{
    return winograd_kernels()->name;
}

static bool winograd_takes(const Product *product)
{
    return !product->is_matmul && !product->direct && product->type == DTYPE_F32 &&
           product->dst_type == DTYPE_F32 && winograd_is_better(&product->conv);
}

static Winograd describe(const Product *product, int threads)
{
    return (Winograd){winograd_kernels(), product->conv, product->pass, threads};
}

static size_t scratch_bytes(const Product *product, int threads)
{
    const Winograd winograd = describe(product, threads);
    return winograd_scratch_bytes(&winograd);
}

static size_t rows_bytes(const Product *product, int threads)
{
    const Winograd winograd = describe(product, threads);
    return winograd_rows_bytes(&winograd);
}

static void run(const Product *product, int threads, void *const *operands, void *scratch)
{
    const Winograd winograd = describe(product, threads);
    void *read[OPERAND_COUNT];
    memcpy(read, operands, sizeof read);
    if (!product->added)
        read[OPERAND_ADDED] = NULL;
    winograd_run(&winograd, read, scratch);
}

/* --------------------------------------------------------------------------------------------- */

static const OwnWay ways[] = {
    {amx_name, amx_takes, amx_scratch_bytes, NULL, false, amx_run},
    {winograd_name, winograd_takes, scratch_bytes, rows_bytes, true, run},
};

const OwnWay *own_way(const Product *product, const ProductLog *log)
{
    for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++)
        if (ways[i].takes(product) && product_log_accepts(log, ways[i].name(), false))
            return &ways[i];
    return NULL;
}
