/* Inception's pool features of images: its weights in memory, and its forward pass. */
#pragma once

#include "base/error.h"
#include "model/inception.h"

#include <stddef.h>

/* Images of one forward pass. Some 20 MB of memory each. */
enum { INCEPTION_BATCH = 16 };

typedef struct InceptionNet InceptionNet;

/* Reads the weights of torch-fidelity or pytorch-fid (exchange/inception_weights.h), and prepares
 * forward passes of `batch` images. An input error if the file is missing or is another. */
bool inception_net_open(InceptionNet **net, const char *path, int batch, Error *error);
void inception_net_close(InceptionNet *net); /* NULL is fine */

/* Reads the weights for their fingerprint alone; errors are those of inception_net_open. */
bool inception_net_identify(const char *path, uint64_t *print, Error *error);

/* Of the weights, after the normalisations were folded in. */
uint64_t inception_net_fingerprint(const InceptionNet *net);

/* features [count, INCEPTION_FEATURES] := those of images [count, resolution, resolution, channels],
 * numbers from -1 to 1, 1 or 3 channels. Images are rounded to bytes first, as in a picture's file. A
 * run-time error if a signal stops it. */
bool inception_net_evaluate(InceptionNet *net, const float *images, int resolution, int channels,
                            int count, float *features, Error *error);
