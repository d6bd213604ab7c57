/* consistency-vectors DIR: checks every consistency proof case (JSON) below DIR, a line each. */
#include "tests/tools/merkle_vectors.h"

static int check(struct merkle_case *c, struct gbx_error *err) {
        struct gbx_hash old_root, new_root;
        uint64_t old_size, new_size;
        size_t ignored;

        if (case_size(c, "size1", &old_size) < 0 || case_size(c, "size2", &new_size) < 0 || case_proof(c) < 0 ||
            case_bytes(json_object_get(c->json, "root1"), &old_root, &ignored) < 0 ||
            case_bytes(json_object_get(c->json, "root2"), &new_root, &ignored) < 0)
                return -EINVAL;
        return gbx_merkle_verify_consistency(old_size, new_size, c->proof, c->count, &old_root, &new_root, err);
}

int main(int argc, char **argv) {
        if (argc != 2) {
                (void)fprintf(stderr, "usage: consistency-vectors DIR\n");
                return 2;
        }
        return run_merkle_cases(argv[1], check);
}
