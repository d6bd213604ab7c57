# The convolution and the sums over symbols are what a trace spends its time on; they vectorize at -O3.
stats_CFLAGS := -O3
score_CFLAGS := -O3
