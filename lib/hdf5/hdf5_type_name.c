/* Stored types in words, for messages. */
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
