/* What this machine can do, for the bounds of a profile. */
#pragma once

#include "engine/profile.h"

/* Measured with `threads` threads for some tenths of a second: multiply-adds in registers (float32),
 * the fastest matrix product of the library (bfloat16; 0 where it has none), a pass over memory. */
ProfileSpeeds speeds_measure(int threads);
