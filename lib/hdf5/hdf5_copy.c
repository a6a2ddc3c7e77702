/* Copies a file but for one object. To add to a file that must always be whole, it is copied, the
 * copy is written on, and then takes its place.
 *
 * H5Ocopy copies objects as they are stored, so that no number is converted.
 */
#include "base/memory.h"
#include "hdf5/hdf5_internal.h"
#include "hdf5/hdf5_trial.h"

#include <string.h>

/* The arguments of copy_link and copy_attribute. */
typedef struct Copying {
    Hdf5File *from, *to;
    const char *leave_out;
    Error *error;
} Copying;

static herr_t cannot_copy(const Copying *copying, const char *name)
{
    Hdf5Reason reason = hdf5_reason();
    if (hdf5_written(copying->to, name, true, copying->error))
        error_input(copying->error, "%s: cannot be copied: %s",
                    hdf5_place(copying->from, name).text, reason.text);
    return -1;
}

/* Copies a link of the root: the object and all below it, or a soft link as a link. */
static herr_t copy_link(hid_t group, const char *name, const H5L_info_t *info, void *data)
{
    (void)group;
    Copying *copying = data;
    if (strcmp(name, copying->leave_out) == 0)
        return 0;
    if (info->type == H5L_TYPE_HARD)
        return H5Ocopy(copying->from->id, name, copying->to->id, name, H5P_DEFAULT, H5P_DEFAULT) < 0
                   ? cannot_copy(copying, name)
                   : 0;
    if (info->type != H5L_TYPE_SOFT) {
        error_input(copying->error, "%s: links to another file, which is not followed",
                    hdf5_place(copying->from, name).text);
        return -1;
    }
    char *target = memory_small(info->u.val_size + 1, 1);
    bool ok = H5Lget_val(copying->from->id, name, target, info->u.val_size, H5P_DEFAULT) >= 0 &&
              H5Lcreate_soft(target, copying->to->id, name, H5P_DEFAULT, H5P_DEFAULT) >= 0;
    memory_free(target);
    return ok ? 0 : cannot_copy(copying, name);
}

/* Copies the values of an attribute in their stored type. The library takes back the memory of
 * variable-length strings. */
static bool copy_values(hid_t source, hid_t target, hid_t type, hid_t space)
{
    hssize_t count = H5Sget_simple_extent_npoints(space);
    size_t size = H5Tget_size(type);
    if (count < 0 || (count > 0 && size > HDF5_STRING_LIMIT / (size_t)count))
        return false;
    if (count == 0)
        return true;
    void *values = memory_small((size_t)count, size);
    bool ok = H5Aread(source, type, values) >= 0;
    ok = ok && H5Awrite(target, type, values) >= 0;
    H5Dvlen_reclaim(type, space, H5P_DEFAULT, values);
    memory_free(values);
    return ok;
}

static herr_t copy_attribute(hid_t root, const char *name, const H5A_info_t *info, void *data)
{
    (void)info;
    Copying *copying = data;
    hid_t source = H5Aopen(root, name, H5P_DEFAULT);
    hid_t type = source >= 0 ? H5Aget_type(source) : H5I_INVALID_HID;
    hid_t space = source >= 0 ? H5Aget_space(source) : H5I_INVALID_HID;
    hid_t target = H5I_INVALID_HID;
    if (type >= 0 && space >= 0)
        target = H5Acreate2(copying->to->id, name, type, space, H5P_DEFAULT, H5P_DEFAULT);
    bool ok = target >= 0 && copy_values(source, target, type, space);
    if (!ok)
        cannot_copy(copying, name);
    if (target >= 0)
        H5Aclose(target);
    if (space >= 0)
        H5Sclose(space);
    if (type >= 0)
        H5Tclose(type);
    if (source >= 0)
        H5Aclose(source);
    return ok ? 0 : -1;
}

static bool copy_all(Copying *copying)
{
    hid_t from = copying->from->id;
    error_input(copying->error, "%s: is damaged", copying->from->path);
    return H5Aiterate2(from, H5_INDEX_NAME, H5_ITER_INC, NULL, copy_attribute, copying) >= 0 &&
           H5Literate(from, H5_INDEX_NAME, H5_ITER_INC, NULL, copy_link, copying) >= 0;
}

/* The work of the trial: checks and copies to a file in memory. Copying runs other code of the
 * library than reading. */
static void try_checking_and_copying(void *data)
{
    Copying copying = *(Copying *)data;
    Error unused;
    Hdf5File to = {.path = copying.from->path};
    hid_t access = H5Pcreate(H5P_FILE_ACCESS);
    H5Pset_fapl_core(access, 1 << 20, 0);
    to.id = H5Fcreate("in memory", H5F_ACC_TRUNC, H5P_DEFAULT, access);
    copying.to = &to;
    copying.error = &unused;
    (void)hdf5_check_all_stored(copying.from, copying.leave_out, &unused);
    if (to.id >= 0)
        (void)copy_all(&copying);
}

/* H5Ocopy copies chunks without verifying their checksums. They are verified first, or damage would
 * only be found in the copy. */
bool hdf5_check_copy(Hdf5File *source, const char *leave_out, Error *error)
{
    Copying copying = {.from = source, .leave_out = leave_out};
    return hdf5_trial(source->path, HDF5_TRIAL_SECONDS, try_checking_and_copying, &copying,
                      error) &&
           hdf5_check_all_stored(source, leave_out, error);
}

bool hdf5_create_copy(Hdf5File **result, Hdf5File *source, const char *leave_out, Error *error)
{
    *result = NULL;
    Hdf5File *file = NULL;
    Copying copying = {.from = source, .leave_out = leave_out, .error = error};
    if (!hdf5_check_copy(source, leave_out, error) || !hdf5_create(&file, source->path, error))
        return false;
    copying.to = file;
    file->keeps_status = hdf5_status(source, &file->status);
    bool ok =
        copy_all(&copying) && hdf5_is_whole(source, error) && hdf5_written(file, "", true, error);
    if (ok)
        *result = file;
    else
        hdf5_close(file);
    return ok;
}
