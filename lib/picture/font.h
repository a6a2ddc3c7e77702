/* A font of 5x7 pixels for the labels of pictures: printable ASCII, drawn for this program. */
#pragma once

#include <stdbool.h>

enum { FONT_WIDTH = 5, FONT_HEIGHT = 7, FONT_ADVANCE = 6 };

/* Whether `character` has ink at column x (0 .. 4, from the left), row y (0 .. 6, from the top). A
 * character that is not printable ASCII is an empty box. */
bool font_pixel(char character, int x, int y);
