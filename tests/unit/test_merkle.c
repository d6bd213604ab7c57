/* gateway/log: the Merkle tree, proofs and tile paths */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/encode.h"
#include "gateway/log/format/merkle.h"
#include "gateway/log/format/tile.h"

#include <string.h>

enum { LEAVES = 70 };

static void expect_hash(const struct gbx_hash *hash, const char *hex) {
        char text[65];

        gbx_hex_encode(hash->bytes, sizeof hash->bytes, text);
        assert_string_equal(text, hex);
}

/* Known answers of RFC 6962 implementations. */
static void hashes_are_those_of_rfc_6962(void **state) {
        struct gbx_hash hash, left, right;

        (void)state;
        gbx_merkle_empty(&hash);
        expect_hash(&hash, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
        gbx_merkle_leaf("", 0, &hash);
        expect_hash(&hash, "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d");
        gbx_merkle_leaf("L123456", 7, &hash);
        expect_hash(&hash, "395aa064aa4c29f7010acfe3f25db9485bbd4b91897b6ad7ad547639252b4d56");
        gbx_merkle_leaf("a", 1, &left);
        gbx_merkle_leaf("b", 1, &right);
        gbx_merkle_node(&left, &right, &hash);
        gbx_merkle_node(&right, &left, &left);
        assert_false(gbx_hash_equal(&hash, &left));
}

static struct gbx_hash leaves[LEAVES];

static int read_node(void *context, unsigned level, uint64_t index, struct gbx_hash *ret, struct gbx_error *err) {
        (void)context;
        assert_true(((index + 1) << level) <= LEAVES);
        gbx_merkle_root_of(leaves + (index << level), (size_t)1 << level, ret);
        (void)err;
        return 0;
}

static void root_of_size(uint64_t size, struct gbx_hash *ret) {
        if (size == 0)
                gbx_merkle_empty(ret);
        else
                gbx_merkle_root_of(leaves, (size_t)size, ret);
}

static void make_leaves(void) {
        for (unsigned i = 0; i < LEAVES; i++) {
                const uint8_t byte = (uint8_t)i;

                gbx_merkle_leaf(&byte, 1, &leaves[i]);
        }
}

static void the_edge_grows_the_same_tree(void **state) {
        struct gbx_merkle_edge edge = {}, loaded;
        struct gbx_hash root, expected;

        (void)state;
        make_leaves();
        for (uint64_t size = 0; size <= LEAVES; size++) {
                root_of_size(size, &expected);
                gbx_merkle_edge_root(&edge, &root);
                assert_true(gbx_hash_equal(&root, &expected));
                assert_int_equal(gbx_merkle_edge_load(read_node, NULL, size, &loaded, NULL), 0);
                gbx_merkle_edge_root(&loaded, &root);
                assert_true(gbx_hash_equal(&root, &expected));
                if (size < LEAVES)
                        gbx_merkle_edge_append(&edge, &leaves[size]);
        }
}

static void inclusion_is_proved_and_nothing_else(void **state) {
        struct gbx_merkle_proof proof;
        struct gbx_hash root;

        (void)state;
        make_leaves();
        for (uint64_t size = 1; size <= LEAVES; size++) {
                root_of_size(size, &root);
                for (uint64_t index = 0; index < size; index++) {
                        assert_int_equal(gbx_merkle_prove_inclusion(read_node, NULL, index, size, &proof, NULL), 0);
                        assert_int_equal(gbx_merkle_verify_inclusion(index, size, &leaves[index], proof.hashes,
                                                                     proof.count, &root, NULL), 0);
                        assert_int_equal(gbx_merkle_verify_inclusion(index, size, &leaves[(index + 1) % LEAVES],
                                                                     proof.hashes, proof.count, &root, NULL), -EBADMSG);
                        assert_int_equal(gbx_merkle_verify_inclusion(size, size, &leaves[index], proof.hashes,
                                                                     proof.count, &root, NULL), -EBADMSG);
                        if (proof.count > 0)
                                assert_int_equal(gbx_merkle_verify_inclusion(index, size, &leaves[index], proof.hashes,
                                                                             proof.count - 1, &root, NULL), -EBADMSG);
                }
        }
        assert_int_equal(gbx_merkle_prove_inclusion(read_node, NULL, 5, 5, &proof, NULL), -EINVAL);
        assert_int_equal(gbx_merkle_verify_inclusion(0, 0, &leaves[0], NULL, 0, &root, NULL), -EBADMSG);
}

static void consistency_is_proved_and_nothing_else(void **state) {
        struct gbx_merkle_proof proof;
        struct gbx_hash old_root, new_root, other;

        (void)state;
        make_leaves();
        for (uint64_t new_size = 1; new_size <= LEAVES; new_size++) {
                root_of_size(new_size, &new_root);
                for (uint64_t old_size = 1; old_size <= new_size; old_size++) {
                        root_of_size(old_size, &old_root);
                        assert_int_equal(gbx_merkle_prove_consistency(read_node, NULL, old_size, new_size, &proof, NULL), 0);
                        assert_int_equal(gbx_merkle_verify_consistency(old_size, new_size, proof.hashes, proof.count,
                                                                       &old_root, &new_root, NULL), 0);
                        root_of_size(old_size - 1, &other);
                        assert_int_equal(gbx_merkle_verify_consistency(old_size, new_size, proof.hashes, proof.count,
                                                                       &other, &new_root, NULL), -EBADMSG);
                        assert_int_equal(gbx_merkle_verify_consistency(old_size, new_size, proof.hashes, proof.count,
                                                                       &old_root, &other, NULL), -EBADMSG);
                }
        }
        assert_int_equal(gbx_merkle_verify_consistency(0, 5, NULL, 0, &old_root, &new_root, NULL), -EBADMSG);
        assert_int_equal(gbx_merkle_prove_consistency(read_node, NULL, 6, 5, &proof, NULL), -EINVAL);
}

static void tile_paths_are_those_of_tlog_tiles(void **state) {
        static const struct {
                int level;
                uint64_t index;
                unsigned width;
                const char *path;
        } cases[] = {
                { 0, 0, 256, "tile/0/000" },
                { 0, 0, 1, "tile/0/000.p/1" },
                { 1, 999, 255, "tile/1/999.p/255" },
                { 0, 1000, 256, "tile/0/x001/000" },
                { 2, 1234067, 256, "tile/2/x001/x234/067" },
                { GBX_TILE_ENTRIES, 1234067, 8, "tile/entries/x001/x234/067.p/8" },
                { 7, UINT64_MAX, 3, "tile/7/x018/x446/x744/x073/x709/x551/615.p/3" },
        };
        static const struct {
                int level;
                uint64_t index, size;
                unsigned width;
        } widths[] = { /* the examples of the specification: 70,000 entries, and 256 */
                { 0, 272, 70000, 256 }, { 0, 273, 70000, 112 }, { 0, 274, 70000, 0 }, { 1, 0, 70000, 256 },
                { 1, 1, 70000, 17 },    { 2, 0, 70000, 1 },     { 3, 0, 70000, 0 },   { 0, 0, 256, 256 },
                { 0, 1, 256, 0 },       { 1, 0, 256, 1 },       { -1, 273, 70000, 112 },
        };

        (void)state;
        for (size_t i = 0; i < gbx_array_size(cases); i++) {
                char path[GBX_TILE_PATH_SIZE];

                gbx_tile_path(cases[i].level, cases[i].index, cases[i].width, path);
                assert_string_equal(path, cases[i].path);
        }
        for (size_t i = 0; i < gbx_array_size(widths); i++)
                assert_int_equal(gbx_tile_width(widths[i].level, widths[i].index, widths[i].size), widths[i].width);
}

static void bundles_are_read_to_the_byte(void **state) {
        struct gbx_bytes bundle = { "\0\0\0\3abc\0\1", 9 }, entry;

        (void)state;
        assert_int_equal(gbx_bundle_next(&bundle, &entry, NULL), 1);
        assert_int_equal(entry.size, 0);
        assert_int_equal(gbx_bundle_next(&bundle, &entry, NULL), 1);
        assert_int_equal(entry.size, 3);
        assert_memory_equal(entry.data, "abc", 3);
        assert_int_equal(gbx_bundle_next(&bundle, &entry, NULL), -EBADMSG);
        bundle.size = 1;
        assert_int_equal(gbx_bundle_next(&bundle, &entry, NULL), -EBADMSG);
        bundle.size = 0;
        assert_int_equal(gbx_bundle_next(&bundle, &entry, NULL), 0);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(hashes_are_those_of_rfc_6962),
                cmocka_unit_test(the_edge_grows_the_same_tree),
                cmocka_unit_test(inclusion_is_proved_and_nothing_else),
                cmocka_unit_test(consistency_is_proved_and_nothing_else),
                cmocka_unit_test(tile_paths_are_those_of_tlog_tiles),
                cmocka_unit_test(bundles_are_read_to_the_byte),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
