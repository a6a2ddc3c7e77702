/* Convolutions 3x3 of stride 1 and padding 1 in float32, by Winograd's algorithm F(4 x 4, 3 x 3):
 * 36 multiplications take the place of 144 (winograd_kernels.h draws it).
 *
 * Activations are NHWC, weights and their gradient the plain [out, in, 3, 3]. A result depends on
 * the processor's vectors, but not on the number of threads. That of a forward pass depends neither on
 * the other images nor on how the work is cut into blocks. Its rounding errors are some 1e-6 of its
 * root mean square, two to seven times those of a direct convolution.
 */
#pragma once

#include "engine/winograd_kernels.h"

/* The kernels that suit this processor best. ONEDNN_MAX_CPU_ISA counts (base/cpu.h). */
const WinogradKernels *winograd_kernels(void);

/* Whether the algorithm can compute a convolution. */
bool winograd_can(const ConvShape *shape);

/* Whether it is faster than a direct convolution. A rule, not a measurement. */
bool winograd_is_better(const ConvShape *shape);

/* Working memory. */
size_t winograd_scratch_bytes(const Winograd *winograd);

/* More of it that follows, if OPERAND_ROWS computes the src of the gradient of the weights. 0: src has
 * to lie in memory. */
size_t winograd_rows_bytes(const Winograd *winograd);

/* Runs it. `operands` [OPERAND_COUNT]: as of a convolution's primitive, all float32; OPERAND_ADDED
 * may be NULL, and so may OPERAND_BIAS and OPERAND_ROWS. `scratch` is aligned to 64 bytes. */
void winograd_run(const Winograd *winograd, void *const *operands, void *scratch);
