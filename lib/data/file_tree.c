/* Walks a directory depth first. Each open directory knows the one that it lies in, so that a link
 * that leads back is noticed by its device and inode.
 */
#include "data/file_tree.h"

#include "base/interrupt.h"
#include "base/memory.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* A directory being read, inside `outer`. */
typedef struct Level {
    const struct Level *outer;
    dev_t device;
    ino_t inode;
    int depth;
    /* Whether a link leads to it, or to one that it lies in. */
    bool is_linked;
} Level;

/* Directories with links to each other have a number of paths that doubles with each of them. */
enum { MOST_LEVELS = 64, MOST_LINKED = 100000 };

typedef struct Walk {
    FileTree *tree;
    const char *root;
    /* Directories so far that were reached through a link. */
    int64_t *linked;
    Error *error;
} Walk;

static bool is_hidden(const char *name)
{
    return name[0] == '.' || strncmp(name, "__MACOSX/", 9) == 0 || strcmp(name, "__MACOSX") == 0;
}

bool file_tree_hides(const char *name)
{
    for (;;) {
        if (is_hidden(name))
            return true;
        const char *slash = strchr(name, '/');
        if (!slash)
            return false;
        name = slash + 1;
    }
}

static bool is_loop(const Level *outer, const struct stat *status)
{
    for (; outer; outer = outer->outer)
        if (outer->device == status->st_dev && outer->inode == status->st_ino)
            return true;
    return false;
}

static void add(FileTree *tree, char *name)
{
    if (tree->count == tree->capacity) {
        tree->capacity = tree->capacity ? 2 * tree->capacity : 256;
        tree->names = memory_grow(tree->names, (size_t)tree->capacity, sizeof *tree->names);
    }
    tree->names[tree->count++] = name;
}

static bool walk(const Walk *w, const char *inside, const Level *outer, bool is_linked);

/* An entry of a directory: a file is added, a directory walked. A link to nothing stays in the list,
 * since its name may be that of a picture. Most file systems say of an entry that it is a file, and
 * spare a question for each of a million. */
static bool take(const Walk *w, char *name, unsigned char type, const Level *level)
{
    if (type == DT_REG) {
        add(w->tree, name);
        return true;
    }
    struct stat status;
    char *path = memory_format("%s/%s", w->root, name);
    const bool there = stat(path, &status) == 0;
    bool ok = true, kept = false;
    if (there && S_ISDIR(status.st_mode)) {
        *w->linked += type == DT_LNK || level->is_linked;
        if (is_loop(level, &status))
            ok = true;
        else if (*w->linked > MOST_LINKED)
            ok = error_input(w->error,
                             "%s: links lead to more than %d directories; do they lead "
                             "to each other?",
                             w->root, MOST_LINKED);
        else
            ok = interrupt_continues_alone(w->error) &&
                 walk(w, name, level, type == DT_LNK || level->is_linked);
    } else if (!there || S_ISREG(status.st_mode)) {
        add(w->tree, name);
        kept = true;
    }
    memory_free(path);
    if (!kept)
        memory_free(name);
    return ok;
}

/* Walks the directory `inside` of the root; "" for the root itself. */
static bool walk(const Walk *w, const char *inside, const Level *outer, bool is_linked)
{
    struct stat status;
    char *path = memory_format("%s%s%s", w->root, inside[0] ? "/" : "", inside);
    DIR *directory = opendir(path);
    bool ok = directory && stat(path, &status) == 0;
    if (!ok)
        error_input(w->error, "%s: cannot be read: %s", path, strerror(errno));
    const Level level = {.outer = outer,
                         .device = ok ? status.st_dev : 0,
                         .inode = ok ? status.st_ino : 0,
                         .depth = outer ? outer->depth + 1 : 0,
                         .is_linked = is_linked};
    if (ok && level.depth > MOST_LEVELS)
        ok = error_input(w->error, "%s: lies in more than %d directories", path, MOST_LEVELS);
    for (struct dirent *entry; ok && (entry = readdir(directory)) != NULL;)
        if (!is_hidden(entry->d_name))
            ok = take(w, memory_format("%s%s%s", inside, inside[0] ? "/" : "", entry->d_name),
                      entry->d_type, &level);
    if (directory)
        closedir(directory);
    memory_free(path);
    return ok;
}

static int compare(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

bool file_tree_read(FileTree *tree, const char *path, Error *error)
{
    *tree = (FileTree){0};
    int64_t linked = 0;
    if (!walk(&(Walk){tree, path, &linked, error}, "", NULL, false)) {
        file_tree_free(tree);
        return false;
    }
    if (tree->count > 0)
        qsort(tree->names, (size_t)tree->count, sizeof *tree->names, compare);
    return true;
}

void file_tree_free(FileTree *tree)
{
    for (int64_t i = 0; i < tree->count; i++)
        memory_free(tree->names[i]);
    memory_free(tree->names);
    *tree = (FileTree){0};
}
