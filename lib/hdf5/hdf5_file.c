/* Opens, creates and lists HDF5 files.
 *
 * hdf5_open.c tries a file out before it is opened here. Arrays are in hdf5_array.c and
 * hdf5_rows.c, strings and attributes in hdf5_text.c, words for failures in hdf5_reason.c.
 */
#include "hdf5/hdf5_file.h"

#include "base/input_file.h"
#include "base/memory.h"
#include "hdf5/hdf5_driver.h"
#include "hdf5/hdf5_internal.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* -- Opening and closing ----------------------------------------------------------------------- */

/* HDF5 asks this before it follows a link to another file. Without it a file from anywhere could
 * read any other file of the user. */
static herr_t refuse_external_link(const char *parent_file, const char *parent_group,
                                   const char *child_file, const char *child_object,
                                   unsigned *flags, hid_t access, void *file)
{
    (void)parent_file;
    (void)parent_group;
    (void)child_file;
    (void)child_object;
    (void)flags;
    (void)access;
    ((Hdf5File *)file)->found_external_link = true;
    return -1;
}

static Hdf5File *new_file(const char *path)
{
    H5Eset_auto2(H5E_DEFAULT, NULL, NULL); /* no messages of the library: ours are one line */
    Hdf5File *file = memory_small(1, sizeof *file);
    file->path = memory_string(path);
    file->id = H5I_INVALID_HID;
    file->access = H5Pcreate(H5P_LINK_ACCESS);
    if (file->access >= 0)
        H5Pset_elink_cb(file->access, refuse_external_link, file);
    return file;
}

const char hdf5_expected_file[] = "an HDF5 file";

bool hdf5_open_untried(Hdf5File **result, const char *path, Error *error)
{
    int64_t size = 0;
    *result = NULL;
    if (!input_file_check(path, hdf5_expected_file, &size, error))
        return false;

    Hdf5File *file = new_file(path);
    file->size = size;
    if (H5Fis_hdf5(path) == 0) {
        hdf5_is_no_hdf5(path, error);
    } else {
        file->id = H5Fopen(path, H5F_ACC_RDONLY, H5P_DEFAULT);
        struct stat status;
        if (file->id < 0)
            hdf5_cannot_open(path, error);
        else if (hdf5_status(file, &status))
            file->size = status.st_size; /* another file may have got the name since the check */
    }
    if (file->id < 0) {
        hdf5_close(file);
        return false;
    }
    *result = file;
    return true;
}

/* Files are written in the format of HDF5 1.10 (2016), in which all metadata have checksums. In the
 * oldest format, HDF5's default, a damaged header can crash the reader's library. Up to 1.8 the
 * trees that find chunks have no checksum either: if one of their bits changes, the numbers read as
 * zeros. */
static hid_t create_hdf5(const char *path, AtomicFile *target, int *write_errno)
{
    hid_t id = H5I_INVALID_HID;
    hid_t access = H5Pcreate(H5P_FILE_ACCESS);
    hid_t creation = H5Pcreate(H5P_FILE_CREATE);
    H5Pset_libver_bounds(access, H5F_LIBVER_V110, H5F_LIBVER_V110);
    H5Pset_obj_track_times(creation, 0);
    if (hdf5_driver_use(access, target->fd, write_errno))
        id = H5Fcreate(path, H5F_ACC_TRUNC, creation, access);
    H5Pclose(creation);
    H5Pclose(access);
    return id;
}

bool hdf5_create(Hdf5File **result, const char *path, Error *error)
{
    return hdf5_create_as(result, path, atomic_anything, error);
}

bool hdf5_create_as(Hdf5File **result, const char *path, AtomicRule rule, Error *error)
{
    *result = NULL;
    Hdf5File *file = new_file(path);
    file->writing = true;
    if (!atomic_file_begin(&file->target, path, rule, error)) {
        hdf5_close(file);
        return false;
    }
    file->id = create_hdf5(path, &file->target, &file->write_errno);
    bool ok = hdf5_written(file, "", file->id >= 0, error);
    if (!ok) {
        hdf5_close(file);
        return false;
    }
    *result = file;
    return true;
}

/* Failures are ignored: a file system that refuses has no such permissions or times. */
static void keep_status(const Hdf5File *file)
{
    const struct timespec times[2] = {file->status.st_atim, file->status.st_mtim};
    (void)!fchmod(file->target.fd, file->status.st_mode & 07777);
    (void)!futimens(file->target.fd, times);
}

bool hdf5_commit(Hdf5File *file, Error *error)
{
    bool overtaken;
    return hdf5_commit_copy(file, &overtaken, error);
}

bool hdf5_commit_copy(Hdf5File *file, bool *overtaken, Error *error)
{
    bool ok = H5Fclose(file->id) >= 0;
    file->id = H5I_INVALID_HID;
    if (file->keeps_status)
        keep_status(file);
    if (file->keeps_status)
        atomic_file_made_from(&file->target, &file->status);
    ok = hdf5_written(file, "", ok, error) && atomic_file_commit(&file->target, error);
    *overtaken = file->target.overtaken;
    hdf5_close(file);
    return ok;
}

void hdf5_close(Hdf5File *file)
{
    if (file == NULL)
        return;
    if (file->id >= 0) {
        if (file->writing)
            file->write_errno = ECANCELED; /* the driver drops what HDF5 would still write */
        H5Fclose(file->id);
    }
    if (file->writing)
        atomic_file_abandon(&file->target);
    if (file->access >= 0)
        H5Pclose(file->access);
    memory_free(file->path);
    memory_free(file);
}

const char *hdf5_path(const Hdf5File *file)
{
    return file->path;
}

/* -- Objects ----------------------------------------------------------------------------------- */

static const char *kind_name(Hdf5Kind kind)
{
    static const char *const names[] = {"a data set", "a group", "something else"};
    return names[kind];
}

static Hdf5Kind kind_of(hid_t object)
{
    H5I_type_t type = H5Iget_type(object);
    return type == H5I_DATASET ? HDF5_DATASET : type == H5I_GROUP ? HDF5_GROUP : HDF5_OTHER;
}

/* Opens whatever `name` is. */
static hid_t open_any(Hdf5File *file, const char *name, Error *error)
{
    file->found_external_link = false;
    hid_t object = H5Oopen(file->id, name, file->access);
    if (object >= 0)
        return object;

    Hdf5Reason reason = hdf5_reason(); /* the next call would clear it */
    Hdf5Place place = hdf5_place(file, name);
    if (file->found_external_link)
        error_input(error, "%s: links to another file, which is not followed", place.text);
    else if (H5Lexists(file->id, name, file->access) > 0)
        error_input(error, "%s: cannot be opened (%s)", place.text, reason.text);
    else
        error_input(error, "%s: is missing", place.text);
    return H5I_INVALID_HID;
}

hid_t hdf5_open_object(Hdf5File *file, const char *name, Hdf5Kind kind, Error *error)
{
    hid_t object = open_any(file, name, error);
    if (object >= 0 && kind_of(object) != kind) {
        error_input(error, "%s: expected %s, found %s", hdf5_place(file, name).text,
                    kind_name(kind), kind_name(kind_of(object)));
        H5Oclose(object);
        return H5I_INVALID_HID;
    }
    return object;
}

bool hdf5_make_groups(Hdf5File *file, const char *name)
{
    bool ok = true;
    char *path = memory_string(name);
    hid_t creation = H5Pcreate(H5P_GROUP_CREATE);
    H5Pset_obj_track_times(creation, 0);
    for (char *slash = path + 1; ok && (slash = strchr(slash, '/')) != NULL; slash++) {
        *slash = '\0';
        if (H5Lexists(file->id, path, H5P_DEFAULT) <= 0) {
            hid_t group = H5Gcreate2(file->id, path, H5P_DEFAULT, creation, H5P_DEFAULT);
            ok = group >= 0;
            if (ok)
                H5Gclose(group);
        }
        *slash = '/';
    }
    H5Pclose(creation);
    memory_free(path);
    return ok;
}

bool hdf5_exists(Hdf5File *file, const char *name, Hdf5Kind kind)
{
    Error unused;
    hid_t object = open_any(file, name, &unused);
    if (object < 0)
        return false;
    bool same = kind_of(object) == kind;
    H5Oclose(object);
    return same;
}

/* The arguments of visit_link. */
typedef struct Listing {
    Hdf5File *file;
    const char *group;
    Hdf5List *list;
    Error *error;
} Listing;

static herr_t visit_link(hid_t group, const char *name, const H5L_info_t *info, void *data)
{
    (void)group;
    (void)info;
    Listing *listing = data;
    bool root = strcmp(listing->group, "/") == 0;
    char *path = memory_format("%s/%s", root ? "" : listing->group, name);
    hid_t object = open_any(listing->file, path, listing->error);
    memory_free(path);
    if (object < 0)
        return -1;

    Hdf5List *list = listing->list;
    list->entries = memory_grow(list->entries, (size_t)list->count + 1, sizeof *list->entries);
    list->entries[list->count].name = memory_string(name);
    list->entries[list->count].kind = kind_of(object);
    list->count++;
    H5Oclose(object);
    return 0;
}

bool hdf5_list(Hdf5File *file, const char *group, Hdf5List *list, Error *error)
{
    *list = (Hdf5List){0};
    hid_t object = hdf5_open_object(file, group, HDF5_GROUP, error);
    if (object < 0)
        return false;

    Listing listing = {.file = file, .group = group, .list = list, .error = error};
    error_input(error, "%s: is damaged", hdf5_place(file, group).text);
    bool ok = H5Literate(object, H5_INDEX_NAME, H5_ITER_INC, NULL, visit_link, &listing) >= 0;
    H5Oclose(object);
    if (!ok)
        hdf5_list_free(list);
    return ok;
}

void hdf5_list_free(Hdf5List *list)
{
    for (int i = 0; i < list->count; i++)
        memory_free(list->entries[i].name);
    memory_free(list->entries);
    *list = (Hdf5List){0};
}
