/*
 * What libarchive's zip reader would call for entries that are compressed by other ways than deflate, or encrypted
 *
 * Each answers that it cannot; entries of that kind are then refused as damaged. Signatures are those of the libraries'
 * headers (bzlib.h, lzma/base.h, zstd.h, nettle/aes.h, hmac.h, pbkdf2.h) as far as a caller without them can have them.
 */
#include <stddef.h>
#include <stdint.h>

enum { BZIP_CONFIG_ERROR = -9, LZMA_OPTIONS_REFUSED = 8 };

/* name(arguments): answer */
#define ABSENT(type, name, answer) \
        type name(void);           \
        type name(void) { return answer; }

ABSENT(int, BZ2_bzDecompressInit, BZIP_CONFIG_ERROR)
ABSENT(int, BZ2_bzDecompress, BZIP_CONFIG_ERROR)
ABSENT(int, BZ2_bzDecompressEnd, 0)

ABSENT(int, lzma_alone_decoder, LZMA_OPTIONS_REFUSED)
ABSENT(int, lzma_stream_decoder, LZMA_OPTIONS_REFUSED)
ABSENT(int, lzma_code, LZMA_OPTIONS_REFUSED)
ABSENT(void, lzma_end, )

ABSENT(void *, ZSTD_createDStream, NULL)
ABSENT(size_t, ZSTD_initDStream, SIZE_MAX)
ABSENT(size_t, ZSTD_decompressStream, SIZE_MAX)
ABSENT(size_t, ZSTD_freeDStream, 0)
ABSENT(size_t, ZSTD_DStreamOutSize, 1)
ABSENT(unsigned, ZSTD_isError, 1)
ABSENT(const char *, ZSTD_getErrorName, "not here")

/* Encrypted entries are refused before any of these is called. */
ABSENT(void, nettle_aes128_set_encrypt_key, )
ABSENT(void, nettle_aes192_set_encrypt_key, )
ABSENT(void, nettle_aes256_set_encrypt_key, )
ABSENT(void, nettle_aes128_encrypt, )
ABSENT(void, nettle_aes192_encrypt, )
ABSENT(void, nettle_aes256_encrypt, )
ABSENT(void, nettle_hmac_sha1_set_key, )
ABSENT(void, nettle_hmac_sha1_update, )
ABSENT(void, nettle_hmac_sha1_digest, )
ABSENT(void, nettle_pbkdf2_hmac_sha1, )
