#include "gateway/store/site_lock.h"

#include "base/cleanup.h"
#include "gateway/log/writer/log.h"
#include "gateway/store/seal.h"
#include "gateway/store/view.h"

#include <sys/file.h>
#include <sys/stat.h>

static int read_entry(void *context, uint64_t index, struct gbx_buffer *ret, struct gbx_error *err) {
        return gbx_log_read(context, index, ret, err);
}

/* Applies what the log has and the view lacks: the healing of a crash between append and apply. */
int gbx_site_catch_up(struct gbx_site *site, sqlite3 *view, struct gbx_error *err) {
        uint64_t applied, size = gbx_log_size(site->log);
        int r = gbx_view_applied(view, &applied, err);

        if (r < 0)
                return r;
        if (applied > size)
                return gbx_fail(err, -EBADMSG, "the view holds %llu entries, the log only %llu: the log was rolled back or cut",
                                (unsigned long long)applied, (unsigned long long)size);
        return gbx_view_catch_up(view, site->seal_key, read_entry, site->log, size, err);
}

/* `gbx audit rebuild` puts a new file in place of the old one: whoever still has the old one open lets go of it. */
static void forget_replaced(struct gbx_site *site) {
        struct stat now = {};

        if (!site->writer || (stat(site->view_path, &now) == 0 && now.st_ino == site->view_inode))
                return;
        (void)sqlite3_close(site->writer);
        (void)sqlite3_close(site->view);
        site->writer = site->view = NULL;
}

static int open_handles(struct gbx_site *site, struct gbx_error *err) {
        struct stat made;
        int r = 0;

        forget_replaced(site);
        if (!site->writer) {
                r = gbx_view_open(&site->writer, site->view_path, site->seal_key, err);
                if (r >= 0 && stat(site->view_path, &made) == 0)
                        site->view_inode = made.st_ino;
        }
        if (r >= 0)
                r = gbx_seal_check_root(site->writer, site->seal_key, err);
        if (r >= 0)
                r = gbx_site_catch_up(site, site->writer, err);
        if (r >= 0 && !site->view)
                r = gbx_view_open_read(&site->view, site->view_path, site->seal_key, err);
        return r > 0 ? gbx_fail(err, -EIO, "cannot open the view '%s' that was just made", site->view_path) : r;
}

static int enter(struct gbx_site *site, struct gbx_error *err) {
        int r = gbx_log_refresh(site->log, err);

        if (r >= 0)
                r = open_handles(site, err);
        if (r < 0)
                gbx_site_unlock(site);
        return r;
}

int gbx_site_lock(struct gbx_site *site, struct gbx_error *err) {
        int r = gbx_site_lock_bare(site, err);

        return r < 0 ? r : enter(site, err);
}

int gbx_site_lock_bare(struct gbx_site *site, struct gbx_error *err) {
        (void)pthread_mutex_lock(&site->mutex);
        while (flock(site->lock, LOCK_EX) < 0)
                if (errno != EINTR) {
                        (void)pthread_mutex_unlock(&site->mutex);
                        return gbx_fail_errno(err, "cannot lock the site '%s'", site->path);
                }
        return 0;
}

bool gbx_site_try_lock(struct gbx_site *site) {
        struct gbx_error ignored = {};

        if (pthread_mutex_trylock(&site->mutex) != 0)
                return false;
        if (flock(site->lock, LOCK_EX | LOCK_NB) < 0) {
                (void)pthread_mutex_unlock(&site->mutex);
                return false;
        }
        return enter(site, &ignored) >= 0;
}

void gbx_site_unlock(struct gbx_site *site) {
        (void)flock(site->lock, LOCK_UN);
        (void)pthread_mutex_unlock(&site->mutex);
}
