/* Approval statements, SSH keys and signatures: whatever is parsed has one form only. */
#include "policy/approval.h"
#include "policy/sshsig.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        static const struct gbx_ssh_key key = { .ed25519 = { 1 } };
        struct gbx_approval *approval = calloc(1, sizeof *approval);
        struct gbx_buffer text = {};
        struct gbx_ssh_key parsed;
        char *line = malloc(size + 1);

        if (!approval || !line)
                abort();
        if (size)
                memcpy(line, data, size);
        line[size] = '\0';
        if (gbx_approval_parse(line, size, approval, NULL) >= 0 &&
            (gbx_approval_text(approval, &text, NULL) < 0 || text.size != size || memcmp(text.data, data, size) != 0))
                abort();
        (void)gbx_ssh_key_parse(line, &parsed, NULL);
        if (gbx_sshsig_verify(&key, GBX_SSHSIG_NAMESPACE, "x", 1, line, size, NULL) == 0)
                abort();
        gbx_buffer_free(&text);
        free(approval);
        free(line);
        return 0;
}
