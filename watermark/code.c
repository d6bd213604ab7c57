#include "watermark/code.h"

#include <math.h>

uint64_t gbx_code_cells(unsigned coalition) {
        return (uint64_t)(10.0 * coalition * coalition * log(1e6));
}

struct gbx_code gbx_code_choose(enum gbx_mark_code kind, unsigned coalition, uint64_t capacity) {
        static const unsigned usual[] = { 5, 3, 2 };

        if (kind == GBX_MARK_CODE_UNBIASED)
                return (struct gbx_code){ GBX_MARK_CODE_UNBIASED, 1 };
        if (coalition > GBX_CODE_MAX_COALITION)
                coalition = GBX_CODE_MAX_COALITION;
        if (coalition > 1 && capacity >= gbx_code_cells(coalition))
                return (struct gbx_code){ GBX_MARK_CODE_TARDOS, coalition };
        for (size_t i = 0; i < sizeof usual / sizeof usual[0]; i++)
                if ((coalition < 2 || usual[i] < coalition) && capacity >= gbx_code_cells(usual[i]))
                        return (struct gbx_code){ GBX_MARK_CODE_TARDOS, usual[i] };
        return (struct gbx_code){ GBX_MARK_CODE_UNBIASED, 1 };
}

uint64_t gbx_code_floor(uint64_t releases, double alpha) {
        return (uint64_t)ceil(log2((double)releases / alpha) - 1e-9);
}

uint32_t gbx_code_threshold(const struct gbx_code *code, uint32_t random) {
        double low, theta, s;

        if (code->kind != GBX_MARK_CODE_TARDOS)
                return UINT32_C(1) << 31;
        low = asin(sqrt(1.0 / (300.0 * code->coalition)));
        theta = low + (M_PI_2 - 2 * low) * (random + 0.5) * 0x1p-32;
        s = sin(theta);
        return (uint32_t)(s * s * 0x1p32);
}

struct gbx_weights gbx_code_collusion_weights(double p, int observed) {
        double up = sqrt((1 - p) / p), down = sqrt(p / (1 - p));

        return observed ? (struct gbx_weights){ up, -down } : (struct gbx_weights){ -up, down };
}

struct gbx_weights gbx_code_likelihood_weights(double p, int observed) {
        static const double error = 0.05; /* share of symbols read wrong that the test is tuned for */
        double own = observed ? p : 1 - p; /* chance of an innocent's symbol to be the one observed */
        double any = own * (1 - error) + (1 - own) * error;
        double hit = log((1 - error) / any), miss = log(error / any);

        return observed ? (struct gbx_weights){ hit, miss } : (struct gbx_weights){ miss, hit };
}
