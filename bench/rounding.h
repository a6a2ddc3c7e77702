/* The effect of bfloat16 on the variances that a researcher reports. */
#pragma once

#include "base/error.h"

/* Evaluates the checkpoint's network and heads on its test images in float32 and in bfloat16, at
 * the same x_t, and prints per timestep and head how far the variance of the reverse step (DDPM, 50
 * linear steps) moves. */
bool rounding_print(const char *path, int images, Error *error);
