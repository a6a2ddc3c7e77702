/* Reads all arrays in the types in which they are stored, so that the library compares their
 * checksums before a copy is made. Only chunks have checksums of their own; the checksum of a
 * header is compared when the object is opened.
 */
#include "base/memory.h"
#include "hdf5/hdf5_internal.h"

#include <string.h>

enum { BLOCK_BYTES = 1 << 22 };

/* Values of variable size lie in a heap, to which no filter is applied. (Inside a compound type the
 * library does not tell variable strings from fixed ones, so all strings there count as
 * variable.) */
static bool has_fixed_size(hid_t type)
{
    if (H5Tget_class(type) == H5T_STRING)
        return H5Tis_variable_str(type) == 0;
    return H5Tdetect_class(type, H5T_VLEN) == 0 && H5Tdetect_class(type, H5T_STRING) == 0;
}

/* Reads a data set if it has chunks. */
static bool check_dataset(const Hdf5File *file, const char *name, hid_t dataset, Error *error)
{
    int rank = 0;
    int64_t dims[HDF5_MAX_RANK];
    bool ok = true;
    hid_t creation = H5Dget_create_plist(dataset), type = H5Dget_type(dataset);
    if (H5Pget_layout(creation) == H5D_CHUNKED && has_fixed_size(type))
        ok = hdf5_check_stored(file, name, dataset, &rank, dims, error) &&
             hdf5_read_blocks(&(Hdf5Blocks){.file = file,
                                            .name = name,
                                            .dataset = dataset,
                                            .type = type,
                                            .rank = rank,
                                            .dims = dims,
                                            .rows = dims[0],
                                            .bytes = BLOCK_BYTES},
                              error);
    H5Tclose(type);
    H5Pclose(creation);
    return ok;
}

/* The arguments of the walks over links. */
typedef struct Checking {
    Hdf5File *file;
    /* The group below the root that is walked through; NULL: the root is. */
    const char *above;
    const char *leave_out;
    Error *error;
} Checking;

static bool check_below(const Checking *checking, const char *name, hid_t group);

static bool check_object(const Checking *checking, const char *name)
{
    hid_t object = H5Oopen(checking->file->id, name, checking->file->access);
    if (object < 0)
        return hdf5_was_read(checking->file, name, object, -1, checking->error);
    bool ok = true;
    if (H5Iget_type(object) == H5I_DATASET)
        ok = check_dataset(checking->file, name, object, checking->error);
    else if (H5Iget_type(object) == H5I_GROUP && checking->above == NULL)
        ok = check_below(checking, name, object);
    H5Oclose(object);
    return ok;
}

/* Checks a link below a link of the root. H5Lvisit itself goes into groups. */
static herr_t check_link(hid_t group, const char *name, const H5L_info_t *info, void *data)
{
    (void)group;
    const Checking *checking = data;
    if (info->type != H5L_TYPE_HARD)
        return 0;
    char *path = memory_format("%s/%s", checking->above, name);
    bool ok = check_object(checking, path);
    memory_free(path);
    return ok ? 0 : -1;
}

static bool check_below(const Checking *checking, const char *name, hid_t group)
{
    Checking below = {.file = checking->file, .above = name, .error = checking->error};
    error_input(checking->error, "%s: is damaged", hdf5_place(checking->file, name).text);
    return H5Lvisit(group, H5_INDEX_NAME, H5_ITER_INC, check_link, &below) >= 0;
}

static herr_t check_root_link(hid_t root, const char *name, const H5L_info_t *info, void *data)
{
    (void)root;
    const Checking *checking = data;
    bool ok = info->type != H5L_TYPE_HARD || strcmp(name, checking->leave_out) == 0 ||
              check_object(checking, name);
    return ok ? 0 : -1;
}

bool hdf5_check_all_stored(Hdf5File *file, const char *leave_out, Error *error)
{
    Checking checking = {.file = file, .leave_out = leave_out, .error = error};
    error_input(error, "%s: is damaged", file->path);
    return H5Literate(file->id, H5_INDEX_NAME, H5_ITER_INC, NULL, check_root_link, &checking) >= 0;
}
