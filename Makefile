# Glovebox. `make` builds, `make test` proves, `make help` lists the rest.
#
# Every folder in MODULES becomes one static library of all its .c files; a
# folder's module.mk declares programs (see runtime/engine/module.mk for one).
# Tests need no declaration: tests/unit/test_*.c, tests/fuzz/fuzz_*.c,
# tests/attack/*.c and tests/tools/*.c are found by name.

CC ?= gcc
BUILD ?= build
PREFIX ?= /usr/local
MODULES := base policy watermark runtime/sandbox runtime/vault runtime/engine \
           gateway/log/format gateway/log/writer gateway/log/verify gateway/log/witness gateway/parse gateway/parse/program \
           gateway/store \
           gateway/people gateway/algorithm gateway/data gateway/run gateway/executor gateway/gate gateway/egress gateway/flows \
           gateway/tabulate/expression gateway/tabulate gateway/disclosure gateway/ledger \
           gateway/handover gateway/job gateway/review gateway/trace gateway/audit gateway/api gateway/cli

PACKAGES := libseccomp libcap libnl-3.0 libnl-route-3.0 libcrypto libssl lua5.4 yaml-0.1 jansson sqlite3 \
            libarchive zlib p11-kit-1 libpcre2-8 libevent libevent_openssl smartcols gmp
WARNINGS := -Wall -Wextra -Wshadow -Wconversion -Werror -Wstrict-prototypes -Wmissing-prototypes -Wformat=2 \
            -Wpointer-arith -Wcast-qual -Wundef -Wvla
HARDEN := -fstack-protector-strong -fstack-clash-protection -fcf-protection -D_FORTIFY_SOURCE=2 -fPIE
HARDEN_LINK := -Wl,-z,relro,-z,now,-z,noexecstack -Wl,--as-needed
OPTIMIZE ?= -O2 -g
SANITIZE ?=
SKIP_DEPENDENCY_CHECK ?=
export BUILD

# Dependencies come first: without them pkg-config below has nothing to say.
ifeq ($(filter clean help install-deps uninstall,$(MAKECMDGOALS)),)
ifneq ($(shell pkg-config --exists $(PACKAGES) cmocka && command -v musl-gcc >/dev/null && test -e /usr/include/roaring/roaring.h && test -e /usr/include/glpk.h && echo yes),yes)
$(info installing what the build needs (scripts/install-deps))
$(info $(shell scripts/install-deps >&2 || echo "scripts/install-deps failed; run it by hand to see why"))
endif
PACKAGE_CFLAGS := $(patsubst -I%,-isystem %,$(shell pkg-config --cflags $(PACKAGES)))
PACKAGE_LIBS := $(shell pkg-config --libs $(PACKAGES)) -lroaring -lglpk -lm # these two have no file for pkg-config
endif

CFLAGS_ALL := -std=gnu17 -D_GNU_SOURCE -I. $(PACKAGE_CFLAGS) $(WARNINGS) $(HARDEN) $(OPTIMIZE) $(SANITIZE) $(CFLAGS)
LDFLAGS_ALL := $(HARDEN_LINK) $(SANITIZE) $(LDFLAGS)

PROGRAMS :=
TEST_PROGRAMS :=
OWN_RULE := # programs whose module.mk says itself how they are linked
TEST_MODULES := # folders that only test programs use
OWN_MODULES := # folders that only those programs use that name them
all:
include $(wildcard $(addsuffix /module.mk,$(MODULES)) images/module.mk tests/module.mk)

# --- libraries ---------------------------------------------------------------
MAIN_SOURCES := $(foreach p,$(PROGRAMS) $(TEST_PROGRAMS),$($(p)_MAIN))
library = $(BUILD)/lib/$(subst /,-,$(1)).a
objects = $(patsubst %.c,$(BUILD)/obj/%.o,$(filter-out $(MAIN_SOURCES),$(wildcard $(1)/*.c)))
LIBRARIES := $(foreach m,$(MODULES),$(call library,$(m)))
define library_rule
$(call library,$(1)): $(call objects,$(1))
	@mkdir -p $$(@D) && rm -f $$@
	@$(AR) rcs $$@ $$^
endef
$(foreach m,$(MODULES) $(TEST_MODULES) $(OWN_MODULES),$(eval $(call library_rule,$(m))))

$(BUILD)/obj/%.o: %.c
	@mkdir -p $(@D)
	@echo "  CC    $<"
	@$(CC) $(CFLAGS_ALL) $($(basename $(notdir $<))_CFLAGS) -MMD -MP -c $< -o $@

# --- programs ----------------------------------------------------------------
# NAME_MAIN: the source with main(); NAME_MODULES: libraries (default: all);
# NAME_LIBS: link libraries (default: all packages); NAME_LDFLAGS: say, -static.
define program_rule
$(BUILD)/$(1): $(patsubst %.c,$(BUILD)/obj/%.o,$($(1)_MAIN)) $(foreach m,$(or $($(1)_MODULES),$(MODULES)),$(call library,$(m)))
	@echo "  LINK  $$@"
	@mkdir -p $$(@D)
	@$(CC) $(LDFLAGS_ALL) $(or $($(1)_LDFLAGS),-pie) $$< -Wl,--start-group $$(filter %.a,$$^) -Wl,--end-group \
		$(or $($(1)_LIBS),$(PACKAGE_LIBS)) -o $$@
endef
$(foreach p,$(filter-out $(OWN_RULE),$(PROGRAMS) $(TEST_PROGRAMS)),$(eval $(call program_rule,$(p))))

# --- tests -------------------------------------------------------------------
UNIT_TESTS := $(patsubst tests/unit/%.c,$(BUILD)/tests/unit/%,$(wildcard tests/unit/test_*.c))
TOOLS := $(patsubst tests/tools/%.c,$(BUILD)/tests/%,$(wildcard tests/tools/*.c))
FUZZERS := $(patsubst tests/fuzz/%.c,$(BUILD)/fuzz/%,$(wildcard tests/fuzz/fuzz_*.c))

$(BUILD)/tests/unit/%: $(BUILD)/obj/tests/unit/%.o $(LIBRARIES) | $(BUILD)/tests/unit/gbx-parse
	@mkdir -p $(@D)
	@echo "  LINK  $@"
	@$(CC) $(LDFLAGS_ALL) -pie $< -Wl,--start-group $(LIBRARIES) -Wl,--end-group $(PACKAGE_LIBS) -lcmocka -o $@
$(BUILD)/tests/%: $(BUILD)/obj/tests/tools/%.o $(LIBRARIES)
	@mkdir -p $(@D)
	@echo "  LINK  $@"
	@$(CC) $(LDFLAGS_ALL) -pie $< -Wl,--start-group $(LIBRARIES) -Wl,--end-group $(PACKAGE_LIBS) -o $@
# Fuzz targets define LLVMFuzzerTestOneInput. Built by `make fuzz` with clang's
# libFuzzer; elsewhere tests/fuzz/replay.c runs them over the kept corpus.
$(BUILD)/fuzz/%: $(BUILD)/obj/tests/fuzz/%.o $(LIBRARIES) $(if $(LIBFUZZER),,$(BUILD)/obj/tests/fuzz/replay.o)
	@mkdir -p $(@D)
	@echo "  LINK  $@"
	@$(CC) $(LDFLAGS_ALL) $(if $(LIBFUZZER),-fsanitize=fuzzer,-pie $(BUILD)/obj/tests/fuzz/replay.o) $< \
		-Wl,--start-group $(LIBRARIES) -Wl,--end-group $(PACKAGE_LIBS) -o $@

# Unit tests find programs, images and data as an installation does (base/install.h): the folder of the tests is its bin.
INSTALLED := $(BUILD)/tests/libexec/glovebox $(BUILD)/tests/share/glovebox
$(BUILD)/tests/libexec/glovebox:
	@mkdir -p $(@D) && ln -sfn ../.. $@
$(BUILD)/tests/share/glovebox:
	@mkdir -p $@ && ln -sfn ../../../images $@/images && ln -sfn ../../../share/content-scan.yaml $@/content-scan.yaml
$(UNIT_TESTS): | $(INSTALLED)

# A build folder for instrumented tests takes the programs that run confined, and the images, from the plain build.
BORROWED := gbx-sandbox gbx-gate gbx-egress gbx-witness gbx-tabulator gbx-lua images share demo
borrow:
	@mkdir -p $(BUILD) && for name in $(BORROWED); do ln -sfn ../$$name $(BUILD)/$$name; done
.PHONY: borrow

-include $(shell find $(BUILD)/obj -name '*.d' 2>/dev/null)
.SECONDARY:
.DELETE_ON_ERROR:
.DEFAULT_GOAL := all
.PHONY: all programs images tests test unit e2e attack asan coverage lint fuzz install uninstall clean help install-deps test-vm

programs: $(addprefix $(BUILD)/,$(PROGRAMS))
tests: $(UNIT_TESTS) $(TOOLS) $(FUZZERS) $(addprefix $(BUILD)/,$(TEST_PROGRAMS))
all: programs images

test: all tests ## dependencies if missing, build, all tests
	@scripts/run-tests
unit: all tests ## unit tests only
	@scripts/run-tests unit
e2e attack: all tests ## end-to-end tests only; attack tests only
	@scripts/run-tests $@
test-vm: all tests ## the sandbox tests inside a virtual machine with Debian's cloud kernel
	@scripts/test-vm

# Instrumented code makes gcc's flow analysis see what is not there (gcc's manual says so of these two).
SANITIZER_NOISE := -Wno-format-truncation -Wno-maybe-uninitialized
asan: all ## unit tests and fuzz corpora under AddressSanitizer and UndefinedBehaviorSanitizer
	@$(MAKE) BUILD=build/asan OPTIMIZE='-O1 -g' HARDEN='-fPIE' \
		SANITIZE='-fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer $(SANITIZER_NOISE)' asan-run
asan-run: borrow $(UNIT_TESTS) $(FUZZERS)
	@ln -sfn ../gbx $(BUILD)/gbx # test_cli starts it; what runs in this program is what is watched
	@scripts/run-tests unit fuzz
.PHONY: asan-run clang-run

# The least that unit tests must reach of gateway/, in per cent of its lines.
COVERAGE_FLOOR := 78
COVERAGE_E2E := main-job owners policy site flow-limits job-flows signals tabulator token witness log
coverage: all ## lines that unit tests reach, by folder; E2E=1: and what the end-to-end tests add
	@$(MAKE) BUILD=build/coverage OPTIMIZE='-O0 -g' HARDEN=-fPIE SANITIZE='--coverage -fprofile-update=prefer-atomic' coverage-run
coverage-run: borrow $(UNIT_TESTS) $(BUILD)/gbx
	@find $(BUILD)/obj -name '*.gcda' -delete
	@scripts/run-tests unit
	@scripts/coverage $(BUILD) --keep $(BUILD)/unit.json.gz --floor gateway/ $(COVERAGE_FLOOR)
ifneq ($(E2E),)
	@for suite in $(COVERAGE_E2E); do timeout 900 bats --tap tests/e2e/$$suite.bats >$(BUILD)/e2e-$$suite.tap 2>&1 || echo "failed: $$suite"; done
	@scripts/coverage $(BUILD) --before $(BUILD)/unit.json.gz
endif
.PHONY: coverage-run

clang: ## everything once more with clang
	@$(MAKE) CC=clang BUILD=build/clang clang-run
clang-run: programs $(UNIT_TESTS)

FUZZ_SECONDS ?= 30
fuzz: ## each fuzz target for FUZZ_SECONDS under libFuzzer
	@$(MAKE) CC=clang BUILD=build/fuzzing LIBFUZZER=1 OPTIMIZE='-O1 -g' HARDEN='-fPIE' \
		SANITIZE='-fsanitize=address,undefined -fsanitize=fuzzer-no-link' fuzz-run
fuzz-run: $(FUZZERS)
	@FUZZ_SECONDS=$(FUZZ_SECONDS) scripts/run-fuzzers
.PHONY: fuzz-run

lint: ## clang-tidy and cppcheck
	@scripts/lint

install: all ## PREFIX= and DESTDIR= are honoured
	@scripts/install "$(DESTDIR)$(PREFIX)"
uninstall: ## what `make install` has put there; sites stay
	@scripts/uninstall "$(DESTDIR)$(PREFIX)"
install-deps: ## Debian packages
	@scripts/install-deps
clean:
	rm -rf build
help:
	@grep -hE '^[a-z0-9 -]+:.*##' Makefile | sed -E 's/:.*## */\t/' | expand -t 18
