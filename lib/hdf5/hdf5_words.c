/* Stored types and shapes in words, for messages. */
#include "hdf5/hdf5_internal.h"

#include <stdio.h>

Hdf5TypeName hdf5_type_name(hid_t type)
{
    Hdf5TypeName name;
    size_t bits = 8 * H5Tget_size(type);
    switch (H5Tget_class(type)) {
    case H5T_FLOAT:
        snprintf(name.text, sizeof name.text, "%zu-bit floating-point numbers", bits);
        break;
    case H5T_INTEGER:
        snprintf(name.text, sizeof name.text, "%zu-bit %s integers", bits,
                 H5Tget_sign(type) == H5T_SGN_NONE ? "unsigned" : "signed");
        break;
    case H5T_STRING:
        snprintf(name.text, sizeof name.text, "strings");
        break;
    case H5T_ENUM:
        snprintf(name.text, sizeof name.text, "enumerated values");
        break;
    case H5T_COMPOUND:
        snprintf(name.text, sizeof name.text, "compound values");
        break;
    default:
        snprintf(name.text, sizeof name.text, "values that are no numbers");
        break;
    }
    return name;
}

Hdf5ShapeText hdf5_shape_text(int rank, const int64_t *dims)
{
    Hdf5ShapeText shape;
    size_t used = (size_t)snprintf(shape.text, sizeof shape.text, "[");
    for (int i = 0; i < rank; i++) {
        const char *separator = i > 0 ? ", " : "";
        char *end = shape.text + used;
        size_t left = sizeof shape.text - used;
        used += (size_t)(dims[i] == HDF5_ANY
                             ? snprintf(end, left, "%sany", separator)
                             : snprintf(end, left, "%s%lld", separator, (long long)dims[i]));
    }
    snprintf(shape.text + used, sizeof shape.text - used, "]");
    return shape;
}
