/* The effect of the arithmetic on the variances that a researcher reports. */
#pragma once

#include "base/error.h"

/* Evaluates the checkpoint's network and heads on its test images in float32 with direct
 * convolutions and with Winograd's, and in bfloat16 where the processor has it, at the same x_t, and prints per timestep and head how far the variance of the reverse step (DDPM, 50
 * linear steps) moves. */
bool rounding_print(const char *path, int images, Error *error);
