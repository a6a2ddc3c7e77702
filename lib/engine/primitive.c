/* oneDNN behind primitive.h: how an implementation of a product is chosen.
 *
 * The library offers several implementations of a product. They are tried in its order of
 * preference; the first whose results are right is taken, and remembered for equal products.
 */
#include "engine/primitive_internal.h"

#include "base/memory.h"
#include "engine/product_check.h"

#include <omp.h>

Support primitive_support(DType type)
{
    if (type == DTYPE_F32)
        return SUPPORT_FAST;
    int isa = (int)dnnl_get_effective_cpu_isa();
    if ((isa & dnnl_cpu_isa_avx512_core_amx) == dnnl_cpu_isa_avx512_core_amx)
        return SUPPORT_MATRIX;
    if ((isa & dnnl_cpu_isa_avx512_core_bf16) == dnnl_cpu_isa_avx512_core_bf16)
        return SUPPORT_FAST;
    return (isa & dnnl_cpu_isa_avx512_core) == dnnl_cpu_isa_avx512_core ? SUPPORT_SLOW
                                                                        : SUPPORT_NONE;
}

const char *primitive_library(void)
{
    return onednn_name();
}

/* -- Choosing --------------------------------------------------------------------------------- */

static Outcome build(Primitive *p, const Candidate *candidate, Error *error)
{
    p->own = candidate->in_place ? NULL : own_way(&p->product, candidate->log);
    if (p->own) {
        p->own_threads = omp_get_max_threads();
        p->scratch_bytes = p->own->scratch_bytes(&p->product, p->own_threads);
        return OUTCOME_DONE;
    }
    return p->product.is_matmul ? primitive_build_matmul(p, candidate, error)
                                : primitive_build_conv(p, candidate, error);
}

/* Checks a primitive that was built, and writes what comes of it in the log. */
static Outcome examine(Primitive *p, ProductLog *log, bool in_place, Error *error)
{
    double off = 0;
    const char *name = primitive_implementation(p);
    switch (product_check(p, &off, error)) {
    case CHECK_RIGHT:
        product_log_right(log, name, in_place, off);
        return OUTCOME_DONE;
    case CHECK_WRONG:
        product_log_wrong(log, name, in_place, error);
        return OUTCOME_DONE;
    default:
        return OUTCOME_FAILED;
    }
}

/* What came of the next way to compute a product: a primitive in *result, or NULL there if it is
 * wrong. */
static Outcome try(Primitive **result, ProductLog *log, const Product *product, bool in_place,
                   Error *error)
{
    const Candidate candidate = {log, in_place};
    Primitive *p = memory_small(1, sizeof *p);
    p->product = *product;
    Outcome outcome = build(p, &candidate, error);
    if (outcome == OUTCOME_DONE && !log->is_checked)
        outcome = examine(p, log, in_place, error);
    const bool taken = outcome == OUTCOME_DONE && log->is_checked;
    if (!taken)
        primitive_free(p);
    *result = taken ? p : NULL;
    return outcome;
}

/* Tries one way after the other until one is right; the two ways of an implementation to add a
 * tensor follow one another. False with the error of the last one tried. */
static bool try_all(Primitive **result, ProductLog *log, const Product *product, Error *error)
{
    const int ways = product->added ? 2 : 1;
    bool tried = true;
    while (tried) {
        tried = false;
        for (int in_place = 0; in_place < ways; in_place++) {
            const Outcome outcome = try(result, log, product, in_place, error);
            if (outcome == OUTCOME_FAILED || *result)
                return *result != NULL;
            tried = tried || outcome == OUTCOME_DONE;
        }
    }
    return log->left_out
               ? error_runtime(error, "%s computes wrong numbers and has no other way: %s",
                               primitive_library(), log->left_out)
               : false;
}

static bool make(Primitive **result, const Product *product, Error *error)
{
    dnnl_engine_t engine;
    *result = NULL;
    if (!primitive_engine(&engine, error))
        return false;
    char *text = product_text(product);
    ProductLog *log = product_log_find(text, omp_get_max_threads());
    memory_free(text);
    return log->is_checked ? try(result, log, product, log->chosen.in_place, error) == OUTCOME_DONE
                           : try_all(result, log, product, error);
}

bool primitive_conv(Primitive **primitive, const Product *product, Error *error)
{
    return make(primitive, product, error);
}

bool primitive_matmul(Primitive **primitive, const MatmulShape *shape, Error *error)
{
    const Product product = {.is_matmul = true, .matmul = *shape};
    return make(primitive, &product, error);
}
