/* Recipes: the configuration that a program works with.
 *
 * A recipe is named by its file's path, or by its name alone: "mixture" is mixture.yaml in the
 * first of these directories that has it:
 *
 *     configs                           from where the program was started
 *     BIN/../configs                    BIN is the program's directory: the source tree
 *     BIN/../share/varhead/configs      an installed program
 */
#pragma once

#include "config/config.h"

/* Reads the recipe `which`, a path or a name, or with NULL the default one, fashion-mnist. A
 * file that `which` is the path of goes before a recipe by that name. Overrides as in
 * config_load. Where there is neither, the input error names the recipes that there are. */
bool recipe_load(Config *config, const char *which, const char *const *overrides, int count,
                 Error *error);
