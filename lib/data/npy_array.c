/* An .npz is read twice: the headers of its arrays first, to choose one, then the chosen array
 * (data/bundle.h).
 */
#include "data/npy_array.h"

#include "base/input_file.h"

#include <string.h>

/* Files of an archive, at most. All their headers are looked at. */
enum { MOST_FILES = 100000 };

/* -- Reading ----------------------------------------------------------------------------------- */

bool npy_array_read(NpyArray *array, void *bytes, int64_t size, int64_t *got, Error *error)
{
    if (array->bundle)
        return bundle_read(array->bundle, bytes, size, got, error);
    *got = (int64_t)fread(bytes, 1, (size_t)size, array->stream);
    return !ferror(array->stream) || error_input(error, "%s: cannot be read", array->path);
}

bool npy_array_check_end(NpyArray *array, Error *error)
{
    uint8_t more;
    int64_t got = 0;
    if (!npy_array_read(array, &more, 1, &got, error)) /* compares zip's checksum, too */
        return false;
    return got == 0 ||
           error_input(error, "%s%s: has data behind its array", array->path, array->suffix);
}

/* *known := whether a header of numbers is there; only a file that cannot be read is an error. */
static bool read_header(NpyArray *array, bool *known, Error *error)
{
    uint8_t prelude[NPY_PRELUDE] = {0};
    char text[NPY_MAX_TEXT + 1] = "";
    int64_t got = 0;
    int begins = 0;
    *known = false;
    if (!npy_array_read(array, prelude, NPY_PRELUDE, &got, error))
        return false;
    const int64_t length = got == NPY_PRELUDE ? npy_text_length(prelude, &begins) : -1;
    const int64_t taken = NPY_PRELUDE - begins; /* the first bytes of the text */
    if (length < taken || length > NPY_MAX_TEXT)
        return true;
    memcpy(text, prelude + begins, (size_t)taken);
    if (!npy_array_read(array, text + taken, length - taken, &got, error))
        return false;
    *known = got == length - taken && npy_header_read(&array->header, text);
    return true;
}

void npy_array_close(NpyArray *array)
{
    if (array->stream)
        fclose(array->stream);
    bundle_close(array->bundle);
    array->stream = NULL;
    array->bundle = NULL;
}

/* -- Choosing an array ------------------------------------------------------------------------- */

bool npy_array_name(char name[64], const char *file)
{
    const size_t length = strlen(file);
    if (length < 5 || length - 4 >= 64 || strcmp(file + length - 4, ".npy") != 0)
        return false;
    memcpy(name, file, length - 4);
    name[length - 4] = '\0';
    return true;
}

/* The archive is at a file: its rank among the arrays that are wanted, 0 the best; 3 for none. */
static bool rank_array(NpyArray *array, const char *file, const NpyWanted *wanted, int *rank,
                       Error *error)
{
    char name[64];
    bool known = false;
    *rank = 3;
    if (!npy_array_name(name, file))
        return true;
    if (!read_header(array, &known, error))
        return false;
    for (int i = 1; i >= 0; i--)
        if (strcmp(name, wanted->names[i]) == 0)
            *rank = i;
    const NpyHeader *header = &array->header;
    if (*rank == 3 && known && header->rank >= wanted->least_rank &&
        header->rank <= wanted->most_rank && strchr(wanted->kinds, header->kind))
        *rank = 2;
    return true;
}

/* chosen := the name of the file in the archive. */
static bool choose_array(const char *path, const NpyWanted *wanted, char chosen[80], Error *error)
{
    NpyArray array = {.path = path};
    BundleFile file;
    int best = 3, equal = 0;
    bool ok = bundle_open(&array.bundle, path, error);
    for (int i = 0; ok; i++) {
        int rank = 3;
        ok = bundle_next(array.bundle, &file, error);
        if (!ok || !file.name)
            break;
        if (i == MOST_FILES) {
            ok = error_input(error, "%s: has more than %d files", path, MOST_FILES);
            break;
        }
        ok = rank_array(&array, file.name, wanted, &rank, error);
        equal = rank < best ? 1 : equal + (rank == best);
        if (ok && rank < best) {
            best = rank;
            snprintf(chosen, 80, "%s", file.name);
        }
    }
    npy_array_close(&array);
    if (!ok || (best < 3 && equal == 1))
        return ok;
    if (best < 3)
        return error_input(error,
                           "%s: has several arrays that could be its %s; expected one named %s",
                           path, wanted->what, wanted->names[0]);
    return error_absent(error, "%s: has no array of %s; expected one named %s or %s", path,
                        wanted->what, wanted->names[0], wanted->names[1]);
}

/* -- Opening ----------------------------------------------------------------------------------- */

static bool open_archive(NpyArray *array, const NpyWanted *wanted, Error *error)
{
    char chosen[80] = "";
    BundleFile file = {0};
    if (!choose_array(array->path, wanted, chosen, error) ||
        !bundle_open(&array->bundle, array->path, error))
        return false;
    do {
        if (!bundle_next(array->bundle, &file, error))
            return false;
        if (!file.name)
            return error_input(error, "%s: changed while it was read", array->path);
    } while (strcmp(file.name, chosen) != 0);
    char name[64] = "";
    (void)npy_array_name(name, chosen);
    snprintf(array->suffix, sizeof array->suffix, ":%s", name);
    return true;
}

bool npy_detects(const char *path)
{
    uint8_t begin[6] = {0};
    FILE *file = input_file_open(path);
    const size_t got = file ? fread(begin, 1, sizeof begin, file) : 0;
    if (file)
        fclose(file);
    return got == sizeof begin && memcmp(begin, "\x93NUMPY", 6) == 0;
}

bool npy_array_open(NpyArray *array, const char *path, const NpyWanted *wanted, Error *error)
{
    int64_t size = 0;
    bool known = false;
    *array = (NpyArray){.path = path};
    if (!input_file_check(path, "a NumPy array (.npy or .npz)", &size, error))
        return false;
    if (!npy_detects(path)) {
        if (!open_archive(array, wanted, error))
            return false;
    } else if (!(array->stream = input_file_open(path))) {
        return error_input(error, "%s: cannot be opened", path);
    }
    if (!read_header(array, &known, error))
        return false;
    if (!known)
        return error_input(error, "%s%s: has no header of an array of numbers", path,
                           array->suffix);
    if (array->header.fortran_order && array->header.rank > 1)
        return error_input(error,
                           "%s%s: is stored in Fortran's order; expected C's "
                           "(numpy.ascontiguousarray)",
                           path, array->suffix);
    return true;
}
