/* The kernels of group normalisation for any processor: vectors of four floats, which SSE2 and NEON
 * have. */
#include "layers/group_norm_kernels.h"

#define LANES 4
#define KERNELS group_norm_baseline
#include "layers/group_norm_code.h"
