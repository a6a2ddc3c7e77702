/* Winograd's kernels for any processor: vectors of four floats, which SSE2 and NEON have. */
#include "engine/winograd_kernels.h"

#define LANES 4
#define THIRD 2
#define NAME "varhead:winograd"
#define KERNELS winograd_baseline
#include "engine/winograd_code.h"
