/* The pieces of an HTML page that is one file. */
#pragma once

#include <stddef.h>
#include <stdio.h>

/* Prints text, with the characters of markup escaped. */
void html_text(FILE *to, const char *text);

/* Prints "data:TYPE;base64,...", which takes the place of an address. */
void html_data(FILE *to, const char *type, const unsigned char *data, size_t size);
