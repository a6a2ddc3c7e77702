/* The outside libraries that the program runs with. */
#pragma once

/* "oneDNN 2.6.3, HDF5 1.10.8, ...": the loaded versions; the program may have been compiled with
 * others. The text is static, and changes with the next call. */
const char *doctor_libraries(void);
