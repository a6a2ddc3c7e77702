/* The version of both programs, printed by --version. */
#pragma once

#define VARHEAD_VERSION "0.1.0"
