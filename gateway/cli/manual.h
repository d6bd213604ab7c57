/* Manual pages (man(7)), made from the table of operations: gbx(1) and one for each noun, gbx-NOUN(1). */
#pragma once

#include <stdbool.h>
#include <stdio.h>

/* `noun` NULL: gbx(1). False: there is no such noun. */
bool gbx_manual_print(FILE *out, const char *noun);
