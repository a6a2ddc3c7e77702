/* The Inception-v3 of the FID (Heusel et al. 2017), up to its pool features.
 *
 * It is the network of TensorFlow's graph of 5 December 2015, whose features published distances
 * are measured in, and not the Inception-v3 of Szegedy et al. 2016 as other programs train it. Its
 * averages over 3 x 3 pixels leave out the padding, and the last block takes the largest of 3 x 3
 * pixels where the others take their average. The blocks and the names of tensors are those of
 * pytorch-fid and torch-fidelity. A normalisation after a convolution is folded into it, so that a
 * convolution has a weight and a bias.
 */
#pragma once

#include "engine/graph.h"

#include <stdint.h>

enum { INCEPTION_SIDE = 299, INCEPTION_FEATURES = 2048 };

typedef struct Inception {
    /* Input [n, INCEPTION_SIDE, INCEPTION_SIDE, 3], from -1 to 1 (inception_input). */
    Value *images;
    /* Kept, [n, 1, 1, INCEPTION_FEATURES]: means over the last 8 x 8 pixels. */
    Value *features;
} Inception;

/* Adds the network to a graph of float32 without gradients. The parameters of a convolution are
 * called "Mixed_5b.branch1x1.weight" and ".bias"; there are 94 convolutions. */
Inception inception_build(Graph *graph);

/* image [INCEPTION_SIDE, INCEPTION_SIDE, 3] := the picture pixels [height, width, channels], bytes,
 * of 1 or 3 channels. A grey picture gets three equal channels. The picture is resized as the
 * graph's ResizeBilinear does it: pixel i of the result lies at i * height / INCEPTION_SIDE of the
 * picture, not moved by half a pixel, and between the last two it is the last; columns likewise.
 * Then a byte b becomes (b - 128) / 128. */
void inception_input(const uint8_t *pixels, int height, int width, int channels, float *image);
