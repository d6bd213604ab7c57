#include "runtime/vault/token.h"

#include "base/cleanup.h"
#include "base/file.h"
#include "runtime/vault/secret.h"

#include <fcntl.h>
#include <openssl/crypto.h>
#include <p11-kit/p11-kit.h>
#include <p11-kit/uri.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MAX_PIN = 256, MAX_SLOTS = 64, MAX_ATTRIBUTES = 8 };

/* Of PKCS#11 3.0, which older headers lack. */
#define MECHANISM_EDWARDS_PAIR 0x1055UL
#define MECHANISM_MONTGOMERY_PAIR 0x1056UL
#define KEY_TYPE_EDWARDS 0x40UL
#define KEY_TYPE_MONTGOMERY 0x41UL

struct gbx_token {
        P11KitUri *uri;
        CK_FUNCTION_LIST *module;
        bool initialized;
        CK_SESSION_HANDLE session;
        bool open;
        CK_OBJECT_HANDLE key;
};

static int module_error(struct gbx_error *err, const char *what, CK_RV code) {
        return gbx_fail(err, code == CKR_PIN_INCORRECT || code == CKR_PIN_LOCKED ? -EPERM : -EIO,
                        "PKCS#11: cannot %s: %s", what, p11_kit_strerror(code));
}

struct gbx_token *gbx_token_free(struct gbx_token *token) {
        if (!token)
                return NULL;
        if (token->open)
                (void)token->module->C_CloseSession(token->session);
        if (token->initialized)
                (void)p11_kit_module_finalize(token->module);
        if (token->module)
                p11_kit_module_release(token->module);
        p11_kit_uri_free(token->uri);
        free(token);
        return NULL;
}

/* --- what the URI says ------------------------------------------------------------- */

static int parse_uri(struct gbx_token *token, const char *uri, struct gbx_error *err) {
        const char *module;

        token->uri = p11_kit_uri_new();
        if (!token->uri)
                return gbx_fail_memory(err);
        if (p11_kit_uri_parse(uri, P11_KIT_URI_FOR_ANY, token->uri) != P11_KIT_URI_OK)
                return gbx_fail(err, -EINVAL, "not a PKCS#11 URI (pkcs11:token=…;object=…?module-path=…&pin-source=…)");
        module = p11_kit_uri_get_module_path(token->uri);
        if (!module || module[0] != '/')
                return gbx_fail(err, -EINVAL, "the PKCS#11 URI has no module-path, or not an absolute one");
        if (p11_kit_uri_get_pin_value(token->uri))
                return gbx_fail(err, -EINVAL, "the PKCS#11 URI has a PIN in it; put it into a file (pin-source)");
        if (!p11_kit_uri_get_pin_source(token->uri))
                return gbx_fail(err, -EINVAL, "the PKCS#11 URI has no pin-source");
        if (p11_kit_uri_get_token_info(token->uri)->label[0] == '\0')
                return gbx_fail(err, -EINVAL, "the PKCS#11 URI names no token");
        if (!p11_kit_uri_get_attribute(token->uri, CKA_LABEL) && !p11_kit_uri_get_attribute(token->uri, CKA_ID))
                return gbx_fail(err, -EINVAL, "the PKCS#11 URI names no object");
        return 0;
}

static int read_pin(const char *source, struct gbx_secret *pin, size_t *ret_size, struct gbx_error *err) {
        const char *path = strncmp(source, "file:", 5) == 0 ? source + 5 : source;
        gbx_auto(gbx_close_fd) int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
        struct stat status;
        ssize_t n;
        int r;

        if (fd < 0 || fstat(fd, &status) < 0)
                return gbx_fail_errno(err, "cannot open the PIN file '%s'", path);
        if (!S_ISREG(status.st_mode) || status.st_uid != geteuid() || status.st_mode & 077)
                return gbx_fail(err, -EPERM, "the PIN file '%s' must be a regular file that only its owner, this user, "
                                             "can reach (chmod 600)", path);
        r = gbx_secret_new(pin, MAX_PIN, err);
        if (r < 0)
                return r;
        n = read(fd, pin->data, MAX_PIN);
        if (n < 0)
                return gbx_fail_errno(err, "cannot read the PIN file '%s'", path);
        while (n > 0 && (pin->data[n - 1] == '\n' || pin->data[n - 1] == '\r'))
                n--;
        *ret_size = (size_t)n;
        return 0;
}

/* --- module, session, key ------------------------------------------------------------- */

static int load_module(struct gbx_token *token, struct gbx_error *err) {
        const char *path = p11_kit_uri_get_module_path(token->uri);
        CK_RV code;

        token->module = p11_kit_module_load(path, 0);
        if (!token->module)
                return gbx_fail(err, -ENOENT, "cannot load the PKCS#11 module '%s': %s", path, p11_kit_message());
        code = p11_kit_module_initialize(token->module);
        if (code != CKR_OK)
                return module_error(err, "initialize the module", code);
        token->initialized = true;
        return 0;
}

static int find_slot(struct gbx_token *token, CK_SLOT_ID *ret, struct gbx_error *err) {
        CK_SLOT_ID slots[MAX_SLOTS];
        CK_ULONG count = MAX_SLOTS;
        CK_RV code = token->module->C_GetSlotList(CK_TRUE, slots, &count);
        CK_TOKEN_INFO info;
        bool found = false;

        if (code != CKR_OK)
                return module_error(err, "list the slots", code);
        for (CK_ULONG i = 0; i < count; i++) {
                if (token->module->C_GetTokenInfo(slots[i], &info) != CKR_OK ||
                    !p11_kit_uri_match_token_info(token->uri, &info))
                        continue;
                if (found)
                        return gbx_fail(err, -EINVAL, "PKCS#11: the URI fits more than one token");
                *ret = slots[i];
                found = true;
        }
        return found ? 0 : gbx_fail(err, -ENOENT, "PKCS#11: there is no such token");
}

static int log_in(struct gbx_token *token, CK_FLAGS flags, struct gbx_error *err) {
        gbx_auto(gbx_secret_free) struct gbx_secret pin = {};
        CK_SLOT_ID slot = 0;
        size_t size = 0;
        CK_RV code;
        int r = find_slot(token, &slot, err);

        if (r == 0)
                r = read_pin(p11_kit_uri_get_pin_source(token->uri), &pin, &size, err);
        if (r < 0)
                return r;
        code = token->module->C_OpenSession(slot, CKF_SERIAL_SESSION | flags, NULL, NULL, &token->session);
        if (code != CKR_OK)
                return module_error(err, "open a session", code);
        token->open = true;
        code = token->module->C_Login(token->session, CKU_USER, pin.data, size);
        if (code != CKR_OK && code != CKR_USER_ALREADY_LOGGED_IN)
                return module_error(err, "log in", code);
        return 0;
}

/* The attributes by which the URI names its object, and its class. */
static CK_ULONG name_attributes(struct gbx_token *token, CK_OBJECT_CLASS *class, CK_ATTRIBUTE *ret) {
        CK_ATTRIBUTE *label = p11_kit_uri_get_attribute(token->uri, CKA_LABEL);
        CK_ATTRIBUTE *id = p11_kit_uri_get_attribute(token->uri, CKA_ID);
        CK_ULONG count = 0;

        ret[count++] = (CK_ATTRIBUTE){ CKA_CLASS, class, sizeof *class };
        if (label)
                ret[count++] = *label;
        if (id)
                ret[count++] = *id;
        return count;
}

/* 1: there is none. */
static int find_key(struct gbx_token *token, struct gbx_error *err) {
        CK_OBJECT_CLASS class = CKO_PRIVATE_KEY;
        CK_ATTRIBUTE attributes[MAX_ATTRIBUTES];
        CK_ULONG count = name_attributes(token, &class, attributes), found = 0;
        CK_OBJECT_HANDLE keys[2];
        CK_RV code = token->module->C_FindObjectsInit(token->session, attributes, count);

        if (code == CKR_OK) {
                code = token->module->C_FindObjects(token->session, keys, 2, &found);
                (void)token->module->C_FindObjectsFinal(token->session);
        }
        if (code != CKR_OK)
                return module_error(err, "look for the key", code);
        if (found == 0)
                return 1;
        if (found > 1)
                return gbx_fail(err, -EINVAL, "PKCS#11: the URI fits more than one private key");
        token->key = keys[0];
        return 0;
}

static int connect_token(struct gbx_token **ret, const char *uri, CK_FLAGS flags, struct gbx_error *err) {
        gbx_auto(gbx_token_freep) struct gbx_token *token = calloc(1, sizeof *token);
        int r;

        if (!token)
                return gbx_fail_memory(err);
        r = parse_uri(token, uri, err);
        if (r == 0)
                r = load_module(token, err);
        if (r == 0)
                r = log_in(token, flags, err);
        if (r == 0)
                *ret = gbx_take_ptr(token);
        return r;
}

int gbx_token_open(struct gbx_token **ret, const char *uri, struct gbx_error *err) {
        gbx_auto(gbx_token_freep) struct gbx_token *token = NULL;
        int r = connect_token(&token, uri, 0, err);

        if (r == 0)
                r = find_key(token, err);
        if (r > 0)
                return gbx_fail(err, -ENOENT, "PKCS#11: the token has no such private key");
        if (r == 0)
                *ret = gbx_take_ptr(token);
        return r;
}

/* --- creating ---------------------------------------------------------------------------- */

static CK_RV generate(struct gbx_token *token, CK_MECHANISM_TYPE type, CK_KEY_TYPE key_type) {
        static const uint8_t x25519[] = { 0x06, 0x03, 0x2b, 0x65, 0x6e }; /* OID 1.3.101.110 */
        CK_MECHANISM mechanism = { type, NULL, 0 };
        CK_OBJECT_CLASS public_class = CKO_PUBLIC_KEY, private_class = CKO_PRIVATE_KEY;
        CK_BBOOL yes = CK_TRUE, no = CK_FALSE;
        CK_ATTRIBUTE public_half[MAX_ATTRIBUTES], private_half[MAX_ATTRIBUTES + 8];
        CK_ULONG publics = name_attributes(token, &public_class, public_half);
        CK_ULONG privates = name_attributes(token, &private_class, private_half);
        CK_OBJECT_HANDLE public_key;

        public_half[publics++] = (CK_ATTRIBUTE){ CKA_KEY_TYPE, &key_type, sizeof key_type };
        public_half[publics++] = (CK_ATTRIBUTE){ CKA_TOKEN, &yes, sizeof yes };
        public_half[publics++] = (CK_ATTRIBUTE){ CKA_EC_PARAMS, (void *)(uintptr_t)x25519, sizeof x25519 };
        private_half[privates++] = (CK_ATTRIBUTE){ CKA_KEY_TYPE, &key_type, sizeof key_type };
        private_half[privates++] = (CK_ATTRIBUTE){ CKA_TOKEN, &yes, sizeof yes };
        private_half[privates++] = (CK_ATTRIBUTE){ CKA_PRIVATE, &yes, sizeof yes };
        private_half[privates++] = (CK_ATTRIBUTE){ CKA_SENSITIVE, &yes, sizeof yes };
        private_half[privates++] = (CK_ATTRIBUTE){ CKA_EXTRACTABLE, &no, sizeof no };
        private_half[privates++] = (CK_ATTRIBUTE){ CKA_DERIVE, &yes, sizeof yes };
        return token->module->C_GenerateKeyPair(token->session, &mechanism, public_half, publics, private_half, privates,
                                                &public_key, &token->key);
}

int gbx_token_create(struct gbx_token **ret, const char *uri, struct gbx_error *err) {
        gbx_auto(gbx_token_freep) struct gbx_token *token = NULL;
        int r = connect_token(&token, uri, CKF_RW_SESSION, err);
        CK_RV code;

        if (r == 0)
                r = find_key(token, err);
        if (r == 0)
                return gbx_fail(err, -EEXIST, "PKCS#11: the token has a key of this name already");
        if (r < 0)
                return r;
        code = generate(token, MECHANISM_MONTGOMERY_PAIR, KEY_TYPE_MONTGOMERY);
        if (code == CKR_MECHANISM_INVALID)
                code = generate(token, MECHANISM_EDWARDS_PAIR, KEY_TYPE_EDWARDS);
        if (code != CKR_OK)
                return module_error(err, "generate an X25519 key pair", code);
        *ret = gbx_take_ptr(token);
        return 0;
}

/* --- using ----------------------------------------------------------------------------------- */

int gbx_token_derive(struct gbx_token *token, const uint8_t peer[static 32], uint8_t ret_shared[static 32],
                     struct gbx_error *err) {
        CK_ECDH1_DERIVE_PARAMS parameters = { CKD_NULL, 0, NULL, 32, (CK_BYTE_PTR)(uintptr_t)peer };
        CK_MECHANISM mechanism = { CKM_ECDH1_DERIVE, &parameters, sizeof parameters };
        CK_OBJECT_CLASS class = CKO_SECRET_KEY;
        CK_KEY_TYPE type = CKK_GENERIC_SECRET;
        CK_BBOOL yes = CK_TRUE, no = CK_FALSE;
        CK_ULONG length = 32;
        CK_ATTRIBUTE attributes[] = {
                { CKA_CLASS, &class, sizeof class },     { CKA_KEY_TYPE, &type, sizeof type },
                { CKA_TOKEN, &no, sizeof no },           { CKA_SENSITIVE, &no, sizeof no },
                { CKA_EXTRACTABLE, &yes, sizeof yes },   { CKA_VALUE_LEN, &length, sizeof length },
        };
        uint8_t shared[32];
        CK_ATTRIBUTE value = { CKA_VALUE, shared, sizeof shared };
        CK_OBJECT_HANDLE secret;
        CK_RV code = token->module->C_DeriveKey(token->session, &mechanism, token->key, attributes,
                                                gbx_array_size(attributes), &secret);

        if (code != CKR_OK)
                return module_error(err, "derive a shared secret", code);
        code = token->module->C_GetAttributeValue(token->session, secret, &value, 1);
        (void)token->module->C_DestroyObject(token->session, secret);
        if (code != CKR_OK || value.ulValueLen != sizeof shared) {
                OPENSSL_cleanse(shared, sizeof shared);
                return module_error(err, "read a shared secret", code);
        }
        memcpy(ret_shared, shared, sizeof shared);
        OPENSSL_cleanse(shared, sizeof shared);
        return 0;
}
