# Attack programs: tests/attack/NAME.c, each static, so that it runs in any image.
ATTACKS := $(patsubst tests/attack/%.c,$(BUILD)/tests/attack/%,$(wildcard tests/attack/*.c))

$(BUILD)/tests/attack/%: $(BUILD)/obj/tests/attack/%.o $(BUILD)/obj/tests/attack/lib/attempt.o
	@echo "  LINK  $@"
	@mkdir -p $(@D)
	@$(CC) $(LDFLAGS_ALL) -static $^ -o $@
tests: $(ATTACKS)

TEST_MODULES += tests/attack/lib
# attack-run starts them, outside and inside, and judges what they say.
TEST_PROGRAMS += attack-run
attack-run_MAIN := tests/attack/lib/run.c
attack-run_MODULES := tests/attack/lib runtime/sandbox base
attack-run_LIBS := -ljansson -lutil -lcrypto -lpthread -ldl
attack-run_LDFLAGS := -static

TEST_PROGRAMS += block-calls
block-calls_MAIN := tests/attack/lib/block_calls.c
block-calls_MODULES := base
block-calls_LIBS := -lc
block-calls_LDFLAGS := -static

# The demo's native job, as an analyst would build it.
TEST_PROGRAMS += demo/scorecard
demo/scorecard_MAIN := scripts/demo/scorecard.c
demo/scorecard_MODULES := base
demo/scorecard_LIBS := -ljansson
demo/scorecard_LDFLAGS := -static

# The program that the story's reviewers should not have approved.
TEST_PROGRAMS += demo/hostile
demo/hostile_MAIN := scripts/demo/hostile.c
demo/hostile_MODULES := base
demo/hostile_LIBS := -lc
demo/hostile_LDFLAGS := -static

all: $(BUILD)/demo/scorecard $(BUILD)/demo/hostile

TEST_PROGRAMS += crash-run
crash-run_MAIN := tests/attack/lib/crash.c
crash-run_MODULES := base
crash-run_LIBS := -lc
crash-run_LDFLAGS := -static
