#include "gateway/tabulate/members.h"

#include <stdlib.h>

enum { FIRST_RUN = 8, LONGEST_RUN = 4096 };

int gbx_members_settle(struct gbx_members *members, struct gbx_error *err) {
        if (!members->bitmap)
                members->bitmap = roaring_bitmap_create();
        if (!members->bitmap)
                return gbx_fail_memory(err);
        roaring_bitmap_add_many(members->bitmap, members->count, members->run);
        members->count = 0;
        return 0;
}

static int make_room(struct gbx_members *members, struct gbx_error *err) {
        uint32_t capacity = members->capacity ? members->capacity * 2 : FIRST_RUN;
        uint32_t *run;

        if (members->capacity == LONGEST_RUN)
                return gbx_members_settle(members, err);
        run = reallocarray(members->run, capacity, sizeof *run);
        if (!run)
                return gbx_fail_memory(err);
        members->run = run;
        members->capacity = capacity;
        return 0;
}

int gbx_members_add(struct gbx_members *members, uint32_t contributor, struct gbx_error *err) {
        int r = members->count == members->capacity ? make_room(members, err) : 0;

        if (r < 0)
                return r;
        members->run[members->count++] = contributor;
        return 0;
}

int gbx_members_unite(struct gbx_members *members, struct gbx_members *other, struct gbx_error *err) {
        int r = gbx_members_settle(members, err);

        if (r >= 0)
                r = gbx_members_settle(other, err);
        if (r < 0)
                return r;
        roaring_bitmap_or_inplace(members->bitmap, other->bitmap);
        return 0;
}

uint64_t gbx_members_count(struct gbx_members *members) { return members->bitmap ? roaring_bitmap_get_cardinality(members->bitmap) : 0; }

void gbx_members_free(struct gbx_members *members) {
        if (members->bitmap)
                roaring_bitmap_free(members->bitmap);
        free(members->run);
        *members = (struct gbx_members){};
}
