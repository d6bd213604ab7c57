# gbx-sandbox, the launcher: small, static, started for every job.
PROGRAMS += gbx-sandbox
gbx-sandbox_MAIN := runtime/sandbox/main.c
gbx-sandbox_MODULES := runtime/sandbox base
gbx-sandbox_LIBS := -ljansson
gbx-sandbox_LDFLAGS := -static-pie

PROGRAMS += gbx-image-digest
gbx-image-digest_MAIN := runtime/sandbox/tools/image-digest.c
gbx-image-digest_MODULES := base
gbx-image-digest_LIBS := -lcrypto

# The system call profiles, compiled and embedded.
SANDBOX_PROFILES := lua native native-threads native-network native-redirect engine gate
SANDBOX_PROFILE_FILES := $(addprefix policy/profiles/,common files sockets $(SANDBOX_PROFILES))
$(BUILD)/gen/profile-compiler: $(addprefix $(BUILD)/obj/,runtime/sandbox/tools/profile-compiler.o runtime/sandbox/profile.o) $(BUILD)/lib/base.a
	@mkdir -p $(@D)
	@echo "  LINK  $@"
	@$(CC) $(LDFLAGS_ALL) -pie $^ -lseccomp -lcrypto -o $@
$(BUILD)/gen/sandbox-profiles.c: $(BUILD)/gen/profile-compiler $(SANDBOX_PROFILE_FILES)
	@echo "  GEN   $@"
	@$< policy/profiles $(SANDBOX_PROFILES) >$@.new && mv $@.new $@
$(BUILD)/obj/gen/sandbox-profiles.o: $(BUILD)/gen/sandbox-profiles.c
	@mkdir -p $(@D)
	@$(CC) $(CFLAGS_ALL) -c $< -o $@
$(BUILD)/lib/runtime-sandbox.a: $(BUILD)/obj/gen/sandbox-profiles.o

# The same launcher with switches by which tests take one layer away, or stop it at a stage; never installed.
SANDBOX_SWITCH_OBJECTS := $(patsubst %.c,$(BUILD)/obj-switches/%.o,$(filter-out \
	runtime/sandbox/launch.c runtime/sandbox/profile.c runtime/sandbox/network.c,$(wildcard runtime/sandbox/*.c)))
$(BUILD)/obj-switches/%.o: %.c
	@mkdir -p $(@D)
	@echo "  CC    $< (switches)"
	@$(CC) $(CFLAGS_ALL) -DGBX_TEST_SWITCHES -MMD -MP -c $< -o $@
$(BUILD)/tests/gbx-sandbox-switches: $(SANDBOX_SWITCH_OBJECTS) $(BUILD)/obj/gen/sandbox-profiles.o $(BUILD)/lib/base.a
	@mkdir -p $(@D)
	@echo "  LINK  $@"
	@$(CC) $(LDFLAGS_ALL) -static-pie $^ -ljansson -o $@
tests: $(BUILD)/tests/gbx-sandbox-switches
-include $(SANDBOX_SWITCH_OBJECTS:.o=.d)

# A job for tests: static, so that it runs in any image.
$(BUILD)/tests/sandbox-probe: $(BUILD)/obj/tests/tools/sandbox-probe.o
	@mkdir -p $(@D)
	@echo "  LINK  $@"
	@$(CC) $(LDFLAGS_ALL) -static $< -o $@
