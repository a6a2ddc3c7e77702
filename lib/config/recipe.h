/* Recipes: the configurations that programs are started with.
 *
 * A recipe is named by the path of its file, or by its name alone: "mixture" is mixture.yaml in the
 * first of these directories that has it:
 *
 *     configs                           from where the program was started
 *     BIN/../configs                    BIN is the program's directory: the source tree
 *     BIN/../share/varhead/configs      an installed program
 */
#pragma once

#include "config/config.h"

/* The text of a recipe, and the path of its file: for config_parse_file. */
typedef struct Recipe {
    char *path, *text;
} Recipe;

/* Reads the recipe `which`, a path or a name, or with NULL the default one, fashion-mnist. A file
 * with the path `which` goes before a recipe of that name. If there is neither, the input error lists
 * the recipes that exist. */
bool recipe_read(Recipe *recipe, const char *which, Error *error);
void recipe_free(Recipe *recipe);

/* recipe_read, then config_parse_file with the overrides. */
bool recipe_load(Config *config, const char *which, const char *const *overrides, int count,
                 Error *error);
