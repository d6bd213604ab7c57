#include "gateway/log/writer/journal.h"

#include "base/cleanup.h"
#include "base/crypto.h"
#include "gateway/log/writer/io.h"
#include "gateway/log/writer/journal_frame.h"
#include "gateway/log/format/tile.h"

#include <fcntl.h>
#include <openssl/crypto.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct place {
        uint64_t first;
        uint64_t offset; /* of the frame */
        uint32_t count, size;
};

struct gbx_journal {
        int directory, fd;
        uint8_t seed[32];
        struct gbx_journal_key key;
        ino_t inode;
        uint64_t base, next, end; /* first entry, next entry, bytes that are good */
        uint64_t acknowledged;    /* entries that must be there, by the marks */
        unsigned other_mark;      /* the one to overwrite */
        uint8_t check[GBX_JOURNAL_CHECK]; /* of the last frame, or of the header */
        bool failed;
        struct place *places;
        size_t count, capacity;
        struct gbx_buffer frame; /* scratch: the frame last read or written */
        uint64_t frame_offset;   /* where it stands; 0: nowhere */
        uint64_t cursor;         /* the entry that `rest` begins with: reading in order is cheap */
        struct gbx_bytes rest;
};

static const char file_name[] = "journal", scratch_name[] = "journal.new";

int gbx_journal_create(int directory, const uint8_t seed[static 32], uint64_t base, struct gbx_error *err) {
        uint8_t header[GBX_JOURNAL_HEADER];
        int r = gbx_journal_make_header(seed, base, header, err);

        return r < 0 ? r
                     : gbx_log_put_file(directory, scratch_name, file_name, header, sizeof header, 0600, GBX_LOG_REPLACE,
                                        err);
}

struct gbx_journal *gbx_journal_free(struct gbx_journal *journal) {
        if (!journal)
                return NULL;
        gbx_close_fd(&journal->fd);
        gbx_close_fd(&journal->directory);
        free(journal->places);
        gbx_buffer_free(&journal->frame);
        OPENSSL_cleanse(journal, sizeof *journal);
        free(journal);
        return NULL;
}

uint64_t gbx_journal_end(const struct gbx_journal *journal) { return journal->next; }
uint64_t gbx_journal_bytes(const struct gbx_journal *journal) { return journal->end; }

static int remember(struct gbx_journal *journal, const struct gbx_journal_frame *frame, struct gbx_error *err) {
        if (journal->count == journal->capacity) {
                size_t capacity = journal->capacity ? 2 * journal->capacity : 64;
                struct place *places = reallocarray(journal->places, capacity, sizeof *places);

                if (!places)
                        return gbx_fail_memory(err);
                journal->places = places;
                journal->capacity = capacity;
        }
        journal->places[journal->count++] = (struct place){
                .first = frame->first,
                .offset = journal->end,
                .count = frame->count,
                .size = frame->size,
        };
        journal->next = frame->first + frame->count;
        memcpy(journal->check, frame->check, sizeof journal->check);
        journal->end += GBX_JOURNAL_FRAME + frame->size;
        return 0;
}

/* Cuts a torn tail off, unless it stands before acknowledged entries. */
static int cut_tail(struct gbx_journal *journal, uint64_t size, uint64_t covered, struct gbx_error *err) {
        uint64_t later = 0;
        int r;

        if (journal->next < covered)
                return gbx_fail(err, -EBADMSG, "the journal is damaged at entry %llu, which the tree covers",
                                (unsigned long long)journal->next);
        if (journal->next < journal->acknowledged)
                return gbx_fail(err, -EBADMSG, "the journal is damaged at entry %llu; entries up to %llu were acknowledged",
                                (unsigned long long)journal->next, (unsigned long long)journal->acknowledged - 1);
        r = gbx_journal_find_frame(journal->fd, &journal->key, journal->end + 1, size, &later, err);
        if (r < 0)
                return r;
        if (r > 0)
                return gbx_fail(err, -EBADMSG, "the journal is damaged at entry %llu; good entries from %llu on stand behind it",
                                (unsigned long long)journal->next, (unsigned long long)later);
        if (gbx_log_io.ftruncate(journal->fd, (off_t)journal->end) < 0)
                return gbx_fail_errno(err, "cannot cut the torn end off the journal");
        return 0;
}

static int read_marks(struct gbx_journal *journal, struct gbx_error *err) {
        uint8_t marks[2 * GBX_JOURNAL_MARK];

        if (pread(journal->fd, marks, sizeof marks, GBX_JOURNAL_MARKS) != (ssize_t)sizeof marks)
                return gbx_fail(err, -EBADMSG, "the journal's marks cannot be read");
        return gbx_journal_read_marks(&journal->key, marks, &journal->acknowledged, &journal->other_mark, err);
}

/* Reads frames from journal->end to the end of the file. */
static int scan(struct gbx_journal *journal, uint64_t size, uint64_t covered, struct gbx_error *err) {
        uint64_t start = journal->end;
        int marked = read_marks(journal, err);

        if (marked < 0)
                return marked;
        while (journal->end < size) {
                struct gbx_journal_frame frame;
                int r = gbx_journal_load_frame(journal->fd, &journal->key, journal->end, size, &frame, &journal->frame, err);

                journal->frame_offset = 0;
                if (r < 0)
                        return r;
                if (r == 0 && frame.first != journal->next)
                        return gbx_fail(err, -EBADMSG, "the journal has entry %llu where entry %llu belongs",
                                        (unsigned long long)frame.first, (unsigned long long)journal->next);
                if (r == 0 && memcmp(frame.before, journal->check, sizeof journal->check) != 0)
                        return gbx_fail(err, -EBADMSG, "the journal's entry %llu does not follow the one before: it is of another history",
                                        (unsigned long long)frame.first);
                if (r == GBX_JOURNAL_BAD) {
                        r = cut_tail(journal, size, covered, err);
                        if (r < 0)
                                return r;
                        break;
                }
                r = remember(journal, &frame, err);
                if (r < 0)
                        return r;
        }
        if (journal->next < covered)
                return gbx_fail(err, -EBADMSG, "the journal ends at entry %llu, but the tree covers %llu: it was cut or replaced",
                                (unsigned long long)journal->next, (unsigned long long)covered);
        if (journal->next < journal->acknowledged)
                return gbx_fail(err, -EBADMSG, "the journal ends at entry %llu, but entries up to %llu were acknowledged: it was cut",
                                (unsigned long long)journal->next, (unsigned long long)journal->acknowledged - 1);
        /* Whoever wrote these frames may have died before its flush. */
        if (size != start && gbx_log_io.fdatasync(journal->fd) < 0) {
                journal->failed = true;
                return gbx_fail_errno(err, "cannot flush the journal");
        }
        return 0;
}

/* (Re)opens the file and reads all of it. */
static int load(struct gbx_journal *journal, uint64_t covered, struct gbx_error *err) {
        gbx_auto(gbx_close_fd) int fd = openat(journal->directory, file_name, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
        uint8_t header[GBX_JOURNAL_HEADER];
        struct stat status;
        int r;

        if (fd < 0 || fstat(fd, &status) < 0)
                return errno == ENOENT ? gbx_fail(err, -EBADMSG, "the journal is missing")
                                       : gbx_fail_errno(err, "cannot open the journal");
        if (pread(fd, header, sizeof header, 0) != (ssize_t)sizeof header)
                return gbx_fail(err, -EBADMSG, "the journal has no header");
        r = gbx_journal_read_header(journal->seed, header, &journal->base, &journal->key, journal->check, err);
        if (r < 0)
                return r;
        if (journal->base > covered)
                return gbx_fail(err, -EBADMSG, "the journal begins at entry %llu, but the tree covers %llu only",
                                (unsigned long long)journal->base, (unsigned long long)covered);
        gbx_close_fd(&journal->fd);
        journal->fd = gbx_take_fd(&fd);
        journal->inode = status.st_ino;
        journal->next = journal->base;
        journal->end = sizeof header;
        journal->count = 0;
        journal->frame_offset = 0;
        return scan(journal, (uint64_t)status.st_size, covered, err);
}

int gbx_journal_open(struct gbx_journal **ret, int directory, const uint8_t seed[static 32], uint64_t covered,
                     struct gbx_error *err) {
        struct gbx_journal *journal = calloc(1, sizeof *journal);
        int r;

        if (!journal)
                return gbx_fail_memory(err);
        journal->fd = -1;
        memcpy(journal->seed, seed, sizeof journal->seed);
        journal->directory = fcntl(directory, F_DUPFD_CLOEXEC, 0);
        r = journal->directory < 0 ? gbx_fail_errno(err, "cannot duplicate a descriptor") : load(journal, covered, err);
        if (r < 0) {
                gbx_journal_free(journal);
                return r;
        }
        *ret = journal;
        return 0;
}

int gbx_journal_refresh(struct gbx_journal *journal, uint64_t covered, struct gbx_error *err) {
        struct stat status;

        if (journal->failed)
                return gbx_fail(err, -EIO, "the journal could not be flushed before; open the log anew");
        if (fstatat(journal->directory, file_name, &status, AT_SYMLINK_NOFOLLOW) < 0)
                return gbx_fail(err, -EBADMSG, "the journal is missing");
        if (status.st_ino != journal->inode)
                return load(journal, covered, err);
        if ((uint64_t)status.st_size < journal->end)
                return gbx_fail(err, -EBADMSG, "the journal was cut off while it was in use");
        return scan(journal, (uint64_t)status.st_size, covered, err);
}

int gbx_journal_append(struct gbx_journal *journal, const void *payload, size_t size, uint32_t count,
                       struct gbx_error *err) {
        struct gbx_journal_frame frame = { .first = journal->next, .count = count, .size = (uint32_t)size };
        uint8_t mark[GBX_JOURNAL_MARK];
        int r;

        if (journal->failed)
                return gbx_fail(err, -EIO, "the journal could not be flushed before; open the log anew");
        if (size > GBX_JOURNAL_BATCH_BYTES || count > GBX_JOURNAL_BATCH_ENTRIES || count == 0)
                return gbx_fail(err, -EINVAL, "a batch of %u entries and %zu bytes cannot be logged at once", count, size);
        gbx_buffer_clear(&journal->frame);
        journal->frame_offset = 0;
        memcpy(frame.before, journal->check, sizeof frame.before);
        r = gbx_journal_make_frame(&journal->key, &frame, payload, &journal->frame, err);
        if (r < 0)
                return r;
        r = gbx_log_write(journal->fd, journal->frame.data, journal->frame.size, (off_t)journal->end, err);
        if (r < 0) {
                if (gbx_log_io.ftruncate(journal->fd, (off_t)journal->end) < 0)
                        journal->failed = true;
                return gbx_context(err, r, "the log's journal");
        }
        if (gbx_log_io.fdatasync(journal->fd) < 0) {
                /* The kernel may now believe that these bytes are clean: no later frame may stand behind them. */
                r = gbx_fail_errno(err, "cannot flush the log's journal; the log takes no more entries until it is opened anew");
                journal->failed = true;
                (void)!gbx_log_io.ftruncate(journal->fd, (off_t)journal->end);
                return r;
        }
        /* A mark that cannot be written is only older than it could be: the batch stands. */
        gbx_journal_make_mark(&journal->key, frame.first + count, mark);
        if (gbx_log_io.pwrite(journal->fd, mark, sizeof mark,
                              GBX_JOURNAL_MARKS + (off_t)journal->other_mark * GBX_JOURNAL_MARK) == (ssize_t)sizeof mark) {
                journal->acknowledged = frame.first + count;
                journal->other_mark = 1 - journal->other_mark;
        }
        return remember(journal, &frame, err);
}

int gbx_journal_read(struct gbx_journal *journal, uint64_t index, bool framed, struct gbx_buffer *ret,
                     struct gbx_error *err) {
        size_t low = 0, high = journal->count;
        const struct place *place;
        struct gbx_bytes entry = {};
        int r;

        if (index < journal->base || index >= journal->next)
                return gbx_fail(err, -ERANGE, "entry %llu is not in the journal", (unsigned long long)index);
        while (high - low > 1) {
                size_t middle = (low + high) / 2;

                if (journal->places[middle].first <= index)
                        low = middle;
                else
                        high = middle;
        }
        place = &journal->places[low];
        if (journal->frame_offset != place->offset) {
                struct gbx_journal_frame frame;

                journal->frame_offset = 0;
                r = gbx_journal_load_frame(journal->fd, &journal->key, place->offset,
                                           place->offset + GBX_JOURNAL_FRAME + place->size, &frame, &journal->frame, err);
                if (r < 0)
                        return r;
                if (r == GBX_JOURNAL_BAD || frame.first != place->first)
                        return gbx_fail(err, -EBADMSG, "the journal is damaged at entry %llu", (unsigned long long)place->first);
                journal->frame_offset = place->offset;
                journal->cursor = UINT64_MAX;
        }
        if (journal->cursor > index) {
                journal->cursor = place->first;
                journal->rest = (struct gbx_bytes){ journal->frame.data + GBX_JOURNAL_FRAME, place->size };
        }
        for (; journal->cursor <= index; journal->cursor++) {
                r = gbx_bundle_next(&journal->rest, &entry, err);
                if (r <= 0) {
                        journal->frame_offset = 0;
                        return r < 0 ? r : gbx_fail(err, -EBADMSG, "a frame of the journal has too few entries");
                }
        }
        return framed ? gbx_buffer_append(ret, (const uint8_t *)entry.data - 2, entry.size + 2, err)
                      : gbx_buffer_append(ret, entry.data, entry.size, err);
}

int gbx_journal_rotate(struct gbx_journal *journal, uint64_t covered, struct gbx_error *err) {
        int r;

        if (journal->next != covered)
                return gbx_fail(err, -EINVAL, "the journal holds entries that the tree does not");
        r = gbx_journal_create(journal->directory, journal->seed, covered, err);
        return r < 0 ? r : load(journal, covered, err);
}
