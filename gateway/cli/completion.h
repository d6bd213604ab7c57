/* Scripts that complete commands in a shell, made from the table of operations. */
#pragma once

#include <stdbool.h>
#include <stdio.h>

/* "bash" or "zsh". False: another. */
bool gbx_completion_print(FILE *out, const char *shell);
