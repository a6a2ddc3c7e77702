/* The weight gradient of a bfloat16 convolution on AMX: about twice as fast as oneDNN 2.6's.
 *
 * Sums are float32; as ever with AMX, subnormal operands count as zero. Padding is multiplied like
 * any other zero, so an infinity in x or dy may become NaN in more weights than it touches. The
 * result is the same from run to run for a shape and a number of threads; other numbers of threads
 * may add in another order.
 */
#pragma once

#include "engine/product.h"

/* Working memory for `threads` threads. */
size_t weight_gradient_scratch_bytes(const ConvShape *shape, int threads);

/* From x [n, in_height, in_width, in_channels] and dy [n, out_height, out_width, out_channels], the
 * gradients dw [out_channels, in_channels, kernel, kernel] and, unless NULL, db [out_channels].
 * Any kernel, stride and number of channels; below 16 channels most of each tile is padding.
 * `scratch` is aligned to 64 bytes. Only where amx_available (engine/amx.h). */
void weight_gradient(const ConvShape *shape, int threads, const uint16_t *x, const uint16_t *dy,
                     float *dw, float *db, void *scratch);
