/* Recipes: the configuration that a program works with. */
#pragma once

#include "io/config.h"

/* Reads the recipe `path`, or with NULL the default one: configs/fashion-mnist.yaml here, or else,
 * for an installed program, ../share/varhead/configs/fashion-mnist.yaml beside it. Overrides as in
 * config_load. An input error says where it looked. */
bool recipe_load(Config *config, const char *path, const char *const *overrides, int count,
                 Error *error);
