/* The page of `train --help`, on stdout. */
#pragma once

#include "base/options.h"

/* With the options [count] in their order. */
void help_print(const Option *options, int count);
