/*
 * Where the parts of Glovebox are installed
 *
 * Parts are found from where the running program stands: beside it in a build
 * folder, or under PREFIX/libexec/glovebox and PREFIX/share/glovebox when the
 * program is PREFIX/bin/gbx. Nothing is searched in PATH.
 */
#pragma once

#include "base/error.h"

/* The path of a program such as "gbx-sandbox"; the caller frees it. */
int gbx_install_program(const char *name, char **ret_path, struct gbx_error *err);

/* The path of an image such as "lua" and its digest "sha256:…"; the caller frees both.
 * The digest is the installed one; the launcher checks the file against it. */
int gbx_install_image(const char *name, char **ret_path, char **ret_digest, struct gbx_error *err);

/* The folder of the manual, without a slash at its end; the caller frees it. -ENOENT where gbx runs in a build folder. */
int gbx_install_manual(char **ret_path, struct gbx_error *err);

/* The path of a data file such as "content-scan.yaml"; the caller frees it. */
int gbx_install_data(const char *name, char **ret_path, struct gbx_error *err);
