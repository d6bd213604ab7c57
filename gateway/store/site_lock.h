/* The site's lock (internal to gateway/store: everybody else begins a transaction) */
#pragma once

#include "base/error.h"
#include "gateway/store/site.h"

#include <stdbool.h>

/* Excludes other threads and other processes, checks the view's seal and brings the view up to the log. Does not nest. */
int gbx_site_lock(struct gbx_site *site, struct gbx_error *err);
/* The same if nobody else has it; whatever fails, the answer is no. */
bool gbx_site_try_lock(struct gbx_site *site);
/* Excludes others and looks at nothing. */
int gbx_site_lock_bare(struct gbx_site *site, struct gbx_error *err);
void gbx_site_unlock(struct gbx_site *site);

/* Applies to `view` what the log has and it lacks. */
int gbx_site_catch_up(struct gbx_site *site, sqlite3 *view, struct gbx_error *err);
