/* Pieces of an HTML page that is one file. */
#pragma once

#include <stddef.h>
#include <stdio.h>

/* Text with what HTML would take for markup escaped. */
void html_text(FILE *to, const char *text);

/* "data:TYPE;base64,...", to stand in the place of an address. */
void html_data(FILE *to, const char *type, const unsigned char *data, size_t size);
