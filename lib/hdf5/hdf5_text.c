/* Strings and attributes in HDF5 files.
 *
 * A string is stored with a fixed length (h5py: numpy bytes; no closing zero byte needed) or a
 * variable one (h5py: str), in a data set or an attribute. A Source stands for either place, so
 * that both are read by the same code. */
#include "base/memory.h"
#include "hdf5/hdf5_internal.h"

#include <stdio.h>
#include <string.h>

/* A data set or an attribute, open. */
typedef struct Source {
    hid_t id;
    bool is_attribute;
    /* The stored type. */
    hid_t type;
    hid_t space;
    Hdf5Place place;
} Source;

static void source_describe(Source *source)
{
    source->type = source->is_attribute ? H5Aget_type(source->id) : H5Dget_type(source->id);
    source->space = source->is_attribute ? H5Aget_space(source->id) : H5Dget_space(source->id);
}

static void source_close(Source *source)
{
    H5Sclose(source->space);
    H5Tclose(source->type);
    if (source->is_attribute)
        H5Aclose(source->id);
    else
        H5Oclose(source->id);
}

static bool source_read(const Source *source, hid_t type, void *value, Error *error)
{
    herr_t status = source->is_attribute
                        ? H5Aread(source->id, type, value)
                        : H5Dread(source->id, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, value);
    if (status >= 0)
        return true;
    const Hdf5Reason reason = hdf5_reason_of_reading(source->id);
    return error_input(error, "%s: %s", source->place.text, reason.text);
}

static bool source_is_single(const Source *source, Error *error)
{
    if (H5Sget_simple_extent_type(source->space) != H5S_NULL &&
        H5Sget_simple_extent_npoints(source->space) == 1)
        return true;
    return error_input(error, "%s: expected a single value", source->place.text);
}

static bool open_attribute(Hdf5File *file, const char *name, const char *attribute, Source *source,
                           Error *error)
{
    *source = (Source){.is_attribute = true};
    source->id = H5Aopen_by_name(file->id, name, attribute, H5P_DEFAULT, file->access);
    snprintf(source->place.text, sizeof source->place.text, "%.400s: attribute %.90s",
             strcmp(name, "/") == 0 ? file->path : hdf5_place(file, name).text, attribute);
    if (source->id < 0)
        return error_input(error, "%s is missing", source->place.text);
    source_describe(source);
    return true;
}

/* -- Strings ----------------------------------------------------------------------------------- */

static bool read_variable_string(const Source *source, char **text, Error *error)
{
    char *owned_by_hdf5 = NULL;
    hid_t type = H5Tcopy(H5T_C_S1);
    H5Tset_size(type, H5T_VARIABLE);
    H5Tset_cset(type, H5Tget_cset(source->type)); /* HDF5 does not convert ASCII to UTF-8 */
    bool ok = source_read(source, type, &owned_by_hdf5, error);
    if (ok && owned_by_hdf5 != NULL &&
        strnlen(owned_by_hdf5, HDF5_STRING_LIMIT + 1) > HDF5_STRING_LIMIT)
        ok = error_input(error, "%s: is longer than %d bytes", source->place.text,
                         HDF5_STRING_LIMIT);
    if (ok)
        *text = memory_string(owned_by_hdf5 != NULL ? owned_by_hdf5 : "");
    if (owned_by_hdf5 != NULL)
        H5Dvlen_reclaim(type, source->space, H5P_DEFAULT, &owned_by_hdf5);
    H5Tclose(type);
    return ok;
}

static bool read_fixed_string(const Source *source, char **text, Error *error)
{
    size_t size = H5Tget_size(source->type);
    if (size > HDF5_STRING_LIMIT)
        return error_input(error, "%s: is longer than %d bytes", source->place.text,
                           HDF5_STRING_LIMIT);
    char *buffer = memory_small(size + 1, 1);
    if (!source_read(source, source->type, buffer, error)) {
        memory_free(buffer);
        return false;
    }
    if (H5Tget_strpad(source->type) == H5T_STR_SPACEPAD)
        for (size_t end = strlen(buffer); end > 0 && buffer[end - 1] == ' '; end--)
            buffer[end - 1] = '\0';
    *text = buffer;
    return true;
}

static bool expect_string(const Source *source, Error *error)
{
    if (H5Tget_class(source->type) != H5T_STRING)
        return error_input(error, "%s: expected a string, found %s", source->place.text,
                           hdf5_type_name(source->type).text);
    return source_is_single(source, error);
}

static bool read_string(const Source *source, char **text, Error *error)
{
    return H5Tis_variable_str(source->type) > 0 ? read_variable_string(source, text, error)
                                                : read_fixed_string(source, text, error);
}

bool hdf5_read_string(Hdf5File *file, const char *name, char **text, Error *error)
{
    *text = NULL;
    Source source = {.place = hdf5_place(file, name)};
    source.id = hdf5_open_object(file, name, HDF5_DATASET, error);
    if (source.id < 0)
        return false;
    source_describe(&source);
    int rank = 0;
    int64_t dims[HDF5_MAX_RANK];
    bool ok = expect_string(&source, error) &&
              hdf5_check_stored(file, name, source.id, &rank, dims, error) &&
              read_string(&source, text, error) && hdf5_is_whole(file, error);
    source_close(&source);
    if (!ok) {
        memory_free(*text);
        *text = NULL;
    }
    return ok;
}

/* The type of a string to write, which has a fixed length. Strings of variable length would lie in
 * a heap within the file, which HDF5 (1.10.8 at least) reads without checking it: a damaged heap
 * can crash the reader. */
static hid_t text_type(const char *text)
{
    size_t length = strlen(text);
    hid_t type = H5Tcopy(H5T_C_S1);
    H5Tset_size(type, length > 0 ? length : 1); /* an empty string is one zero byte */
    H5Tset_strpad(type, H5T_STR_NULLPAD);
    H5Tset_cset(type, H5T_CSET_UTF8);
    return type;
}

/* Bytes of the longest text that is stored in the object's header, which has room for 64 KiB and a
 * checksum. A longer one, such as a recipe with thousands of betas, is an array of one element, since
 * only the chunks of an array have checksums. */
enum { COMPACT_TEXT = 60000 };

/* The shape of a text, and how it is stored. */
static hid_t text_space(const char *text, hid_t creation)
{
    if (strlen(text) <= COMPACT_TEXT) {
        H5Pset_layout(creation, H5D_COMPACT);
        return H5Screate(H5S_SCALAR);
    }
    const hsize_t one = 1;
    H5Pset_chunk(creation, 1, &one);
    H5Pset_fletcher32(creation);
    return H5Screate_simple(1, &one, NULL);
}

bool hdf5_write_string(Hdf5File *file, const char *name, const char *text, Error *error)
{
    hid_t type = text_type(text);
    hid_t creation = H5Pcreate(H5P_DATASET_CREATE);
    H5Pset_obj_track_times(creation, 0);
    hid_t space = text_space(text, creation);
    hid_t dataset = H5I_INVALID_HID;
    if (hdf5_make_groups(file, name))
        dataset = H5Dcreate2(file->id, name, type, space, H5P_DEFAULT, creation, H5P_DEFAULT);
    bool ok = dataset >= 0 && H5Dwrite(dataset, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, text) >= 0;
    ok = hdf5_written(file, name, ok, error);
    if (dataset >= 0)
        H5Dclose(dataset);
    H5Pclose(creation);
    H5Sclose(space);
    H5Tclose(type);
    return ok;
}

/* -- Attributes -------------------------------------------------------------------------------- */

bool hdf5_attribute_exists(Hdf5File *file, const char *name, const char *attribute)
{
    return H5Aexists_by_name(file->id, name, attribute, file->access) > 0;
}

/* Reads a number of the class `wanted`; an integer is accepted for a floating-point number. */
static bool read_number(Hdf5File *file, const char *name, const char *attribute, H5T_class_t wanted,
                        hid_t type, void *value, Error *error)
{
    Source source;
    if (!open_attribute(file, name, attribute, &source, error))
        return false;
    H5T_class_t class = H5Tget_class(source.type);
    bool ok = class == wanted || (class == H5T_INTEGER && wanted == H5T_FLOAT);
    if (!ok)
        error_input(error, "%s: expected %s, found %s", source.place.text,
                    wanted == H5T_INTEGER ? "an integer" : "a number",
                    hdf5_type_name(source.type).text);
    ok = ok && source_is_single(&source, error) && source_read(&source, type, value, error);
    source_close(&source);
    return ok;
}

bool hdf5_read_attribute_int(Hdf5File *file, const char *name, const char *attribute,
                             int64_t *value, Error *error)
{
    return read_number(file, name, attribute, H5T_INTEGER, H5T_NATIVE_INT64, value, error);
}

bool hdf5_read_attribute_double(Hdf5File *file, const char *name, const char *attribute,
                                double *value, Error *error)
{
    return read_number(file, name, attribute, H5T_FLOAT, H5T_NATIVE_DOUBLE, value, error);
}

bool hdf5_read_attribute_string(Hdf5File *file, const char *name, const char *attribute,
                                char **text, Error *error)
{
    *text = NULL;
    Source source;
    if (!open_attribute(file, name, attribute, &source, error))
        return false;
    bool ok = expect_string(&source, error) && read_string(&source, text, error);
    source_close(&source);
    return ok;
}

static bool write_attribute(Hdf5File *file, const char *name, const char *attribute, hid_t stored,
                            hid_t type, const void *value, Error *error)
{
    hid_t space = H5Screate(H5S_SCALAR);
    hid_t id = H5Acreate_by_name(file->id, name, attribute, stored, space, H5P_DEFAULT, H5P_DEFAULT,
                                 H5P_DEFAULT);
    bool ok = id >= 0 && H5Awrite(id, type, value) >= 0;
    ok = hdf5_written(file, name, ok, error);
    if (id >= 0)
        H5Aclose(id);
    H5Sclose(space);
    return ok;
}

bool hdf5_write_attribute_int(Hdf5File *file, const char *name, const char *attribute,
                              int64_t value, Error *error)
{
    return write_attribute(file, name, attribute, H5T_STD_I64LE, H5T_NATIVE_INT64, &value, error);
}

bool hdf5_write_attribute_double(Hdf5File *file, const char *name, const char *attribute,
                                 double value, Error *error)
{
    return write_attribute(file, name, attribute, H5T_IEEE_F64LE, H5T_NATIVE_DOUBLE, &value, error);
}

bool hdf5_write_attribute_string(Hdf5File *file, const char *name, const char *attribute,
                                 const char *text, Error *error)
{
    hid_t type = text_type(text);
    bool ok = write_attribute(file, name, attribute, type, type, text, error);
    H5Tclose(type);
    return ok;
}
