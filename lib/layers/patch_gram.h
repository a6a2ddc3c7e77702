/* The sums of least squares for a 3x3 convolution, from its input and the targets of its output.
 *
 * A 3x3 convolution with zeros around is linear in its weights: at each pixel its output is w' phi,
 * phi being the patch of nine neighbours, row by row, [9 c], and a one for the bias. The least
 * squares w for targets y solves G w = r,
 *
 *     G = sum phi phi',   r = sum phi y        over pixels and images,
 *
 * whatever the targets are: one G serves them all. G comes from matrix products in the type of z,
 * whose sums are float32 over a few thousand pixels and double beyond.
 */
#pragma once

#include "engine/graph.h"

/* Sums over a kept value z, which is read where it lies. */
typedef struct PatchGram PatchGram;

/* Elements of phi for z of `channels`: 9 channels + 1. */
int patch_gram_features(int channels);

/* `kinds` targets at a time, each of `outputs` channels. */
bool patch_gram_make(PatchGram **gram, const Value *z, int kinds, int outputs, Error *error);
void patch_gram_free(PatchGram *gram); /* NULL is fine */

/* Adds the batch in z. F is the number of features, K that of kinds * outputs.
 *   y [kinds][n, h, w, outputs]  the targets
 *   products [F (F + 1) / 2]     += the lower triangle of G, row by row
 *   moments [K, F]               += r of each target channel */
bool patch_gram_add(PatchGram *gram, const float *const *y, double *products, double *moments,
                    Error *error);

/* Writes w [F], in phi's order, as a convolution has it: kernel [c, 3, 3] and a bias. */
void patch_gram_weights(const double *w, int channels, float *kernel, float *bias);
