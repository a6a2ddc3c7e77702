/* Finds recipes: by path, or by name in the directories of recipes, the first of which wins. If
 * there is no such recipe, the error lists the names in all of them.
 */
#include "config/recipe.h"

#include "base/memory.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char default_recipe[] = "fashion-mnist", suffix[] = ".yaml";

enum { PLACES = 3, PATH_SIZE = 4096 };

/* -- Where recipes are ------------------------------------------------------------------------- */

/* path := the directory of the running program with a slash at its end, "" if the system does not
 * tell. */
static void program_directory(char path[PATH_SIZE])
{
    ssize_t length = readlink("/proc/self/exe", path, PATH_SIZE - 1);
    path[length > 0 ? length : 0] = '\0';
    char *slash = strrchr(path, '/');
    if (slash)
        slash[1] = '\0';
}

/* The path of the file `name` ("": the directory itself) in a directory of recipes. Caller
 * frees. */
static char *in_place(int place, const char *name)
{
    static const char *const beside[PLACES] = {NULL, "../configs/", "../share/varhead/configs/"};
    char directory[PATH_SIZE];
    if (!beside[place])
        return memory_format("configs/%s", name);
    program_directory(directory);
    return memory_format("%s%s%s", directory, beside[place], name);
}

static bool is_recipe(const char *file)
{
    const size_t length = strlen(file), ends = strlen(suffix);
    return length > ends && strcmp(file + length - ends, suffix) == 0;
}

/* The path of the first recipe of that name; NULL if there is none. The caller frees. */
static char *find(const char *name)
{
    char *file = memory_format("%s%s", name, is_recipe(name) ? "" : suffix), *path = NULL;
    for (int i = 0; i < PLACES && !path; i++) {
        path = in_place(i, file);
        if (access(path, F_OK) != 0) {
            memory_free(path);
            path = NULL;
        }
    }
    memory_free(file);
    return path;
}

/* -- The list of recipes ----------------------------------------------------------------------- */

enum { MAX_NAMES = 64 };

typedef struct Names {
    char *items[MAX_NAMES];
    int count;
} Names;

/* Adds the name of the recipe in `file`, unless the list has it. */
static void add(Names *names, const char *file)
{
    if (names->count == MAX_NAMES || !is_recipe(file))
        return;
    char *name = memory_string(file);
    name[strlen(name) - strlen(suffix)] = '\0';
    bool known = false;
    for (int i = 0; i < names->count; i++)
        known = known || strcmp(names->items[i], name) == 0;
    if (known)
        memory_free(name);
    else
        names->items[names->count++] = name;
}

static int compare(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void list(Names *names)
{
    for (int i = 0; i < PLACES; i++) {
        char *path = in_place(i, "");
        DIR *directory = opendir(path);
        for (struct dirent *entry; directory && (entry = readdir(directory)) != NULL;)
            add(names, entry->d_name);
        if (directory)
            closedir(directory);
        memory_free(path);
    }
    qsort(names->items, (size_t)names->count, sizeof names->items[0], compare);
}

static bool not_found(const char *which, bool given, Error *error)
{
    Names names = {0};
    list(&names);
    error_input(error, "%.200s%s: there is no such file, and no recipe of that name; %s", which,
                given ? "" : " (the default)",
                names.count > 0 ? "there are "
                                : "there are none in configs, nor beside the program");
    for (int i = 0; i < names.count; i++) {
        error_add(error, "%s%s", i > 0 ? ", " : "", names.items[i]);
        memory_free(names.items[i]);
    }
    return false;
}

/* -- Reading ----------------------------------------------------------------------------------- */

/* Whether `which` can only be a path; a directory may have the name of a recipe. */
static bool is_path(const char *which)
{
    struct stat status;
    return strchr(which, '/') || (stat(which, &status) == 0 && !S_ISDIR(status.st_mode));
}

bool recipe_read(Recipe *recipe, const char *which, Error *error)
{
    const char *wanted = which ? which : default_recipe;
    *recipe = (Recipe){.path = which && is_path(which) ? NULL : find(wanted)};
    if (!recipe->path && access(wanted, F_OK) != 0 && errno == ENOENT)
        return not_found(wanted, which != NULL, error);
    if (!recipe->path)
        recipe->path = memory_string(wanted);
    recipe->text = config_text(recipe->path, error);
    return recipe->text != NULL;
}

void recipe_free(Recipe *recipe)
{
    memory_free(recipe->path);
    memory_free(recipe->text);
    *recipe = (Recipe){0};
}

bool recipe_load(Config *config, const char *which, const char *const *overrides, int count,
                 Error *error)
{
    Recipe recipe;
    const bool done = recipe_read(&recipe, which, error) &&
                      config_parse_file(config, recipe.text, recipe.path, overrides, count, error);
    recipe_free(&recipe);
    return done;
}
