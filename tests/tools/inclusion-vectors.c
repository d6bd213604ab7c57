/* inclusion-vectors DIR: checks every inclusion proof case (JSON) below DIR, a line each. */
#include "tests/tools/merkle_vectors.h"

static int check(struct merkle_case *c, struct gbx_error *err) {
        struct gbx_hash leaf, root;
        uint64_t index, size;

        if (case_size(c, "leafIdx", &index) < 0 || case_size(c, "treeSize", &size) < 0 || case_proof(c) < 0 ||
            case_hash(json_object_get(c->json, "root"), &root) < 0 ||
            case_hash(json_object_get(c->json, "leafHash"), &leaf) < 0)
                return -EINVAL;
        return gbx_merkle_verify_inclusion(index, size, &leaf, c->proof, c->count, &root, err);
}

int main(int argc, char **argv) {
        if (argc != 2) {
                (void)fprintf(stderr, "usage: inclusion-vectors DIR\n");
                return 2;
        }
        return run_merkle_cases(argv[1], check);
}
