/*
 * Root images: squashfs or erofs files named by digest, directories, or mounts made before
 */
#pragma once

#include "base/error.h"
#include "runtime/sandbox/spec.h"

/* A detached, read-only, nosuid, nodev mount of the spec's image. Returns its descriptor. */
int gbx_image_mount(const struct gbx_spec *spec, struct gbx_error *err);
