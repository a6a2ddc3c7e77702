/* Convolutions and matrix products: the only door to oneDNN.
 *
 * Everything outside this module speaks of shapes and pointers; the library's descriptors,
 * memories and attributes stay behind it (and what its versions do differently behind onednn.h).
 *
 * Activations are NHWC, float32 or bfloat16, and are never rearranged. Weights are packed into the
 * type and the layout that the library's fastest implementation wants (primitive_pack), by code of
 * our own, once each time they change. Biases and gradients of weights are float32 always, and sums
 * are float32 inside.
 *
 * No product is trusted unseen. Before a primitive is handed out, a few elements of its result are
 * compared with plain loops in double (product_check.h). Where they differ, the library's next
 * implementation is tried; where none is right, the primitive cannot be had.
 */
#pragma once

#include "base/error.h"
#include "engine/product.h"

#include <stddef.h>
#include <stdint.h>

/* How well this processor computes in a type, as far as the library lets it: ONEDNN_MAX_CPU_ISA
 * counts. */
typedef enum Support {
    SUPPORT_NONE,
    SUPPORT_SLOW,   /* emulated */
    SUPPORT_FAST,   /* vector instructions of its own */
    SUPPORT_MATRIX, /* matrix instructions (AMX): several times the speed of vectors */
} Support;

Support primitive_support(DType type);

typedef struct Primitive Primitive;

/* Only the dst of a forward pass may be of another type than src and weights. Both fail with a
 * run-time error where the library has no implementation or none that is right, and for want of
 * memory. Not to be called by two threads at once. */
bool primitive_conv(Primitive **primitive, const Product *product, Error *error);
bool primitive_matmul(Primitive **primitive, const MatmulShape *shape, Error *error);

void primitive_free(Primitive *primitive);

size_t primitive_scratch_bytes(const Primitive *primitive);
/* Scratch that has to follow if OPERAND_ROWS computes the src of the gradient of the weights; 0: src
 * has to lie in memory. */
size_t primitive_rows_bytes(const Primitive *primitive);
/* Of the packed weights, or, for CONV_BACKWARD_WEIGHTS, of their packed gradient. 0: it reads or
 * writes plain float32 weights, of a convolution [out, in, height, width] of the kernel, and nothing
 * is to be packed. */
size_t primitive_weights_bytes(const Primitive *primitive);

/* From plain weights to what the primitive reads. `packed` has primitive_weights_bytes bytes, which
 * have to be zero the first time. */
void primitive_pack(const Primitive *primitive, const float *plain, void *packed);

/* From the packed gradient that the primitive has written to the plain one. */
void primitive_unpack(const Primitive *primitive, const void *packed, float *plain);

/* Who computes it: "jit:avx512_core_amx_bf16". */
const char *primitive_implementation(const Primitive *primitive);

/* "oneDNN 2.6.3" */
const char *primitive_library(void);

/* Runs it. `operands` [OPERAND_COUNT] are pointers, those it does not use NULL; `scratch` has
 * primitive_scratch_bytes bytes, and primitive_rows_bytes more with OPERAND_ROWS, beside which
 * OPERAND_SRC is not read. All pointers are aligned to 64 bytes or more for speed. */
bool primitive_run(Primitive *primitive, void *const *operands, void *scratch, Error *error);

/* For benchmarks: the least that a step can take with direct products. Between primitive_record and
 * primitive_record_end every convolution and matrix product that runs is noted. The replay runs
 * them all again, in that order, on the same memory (whose contents it spoils), with nothing in
 * between; it returns the seconds that took. Where Winograd's algorithm computed a convolution, the
 * replay runs the library's direct one instead. primitive_record_end makes those, and fails where
 * the library has none or for want of memory. */
void primitive_record(void);
bool primitive_record_end(Error *error);
double primitive_replay(void);

/* Multiplications and additions of what was noted, as its definitions say (product_operations). */
double primitive_record_operations(void);
