# gbx-sandbox, the launcher: small, static, started for every job. Its C library is musl, whose start costs a third of
# glibc's: on x86 glibc asks the processor about itself (cpuid), which every virtual machine has to trap. Other compilers
# and instrumented builds take glibc.
PROGRAMS += gbx-sandbox
OWN_RULE += gbx-sandbox
LAUNCHER_SOURCES := $(filter-out runtime/sandbox/launch.c runtime/sandbox/profile.c runtime/sandbox/network.c \
	base/crypto.c base/csv.c base/file_durable.c base/install.c base/lockdown.c base/memfile.c \
	base/spawn.c,$(wildcard runtime/sandbox/*.c base/*.c))
LAUNCHER_CC := $(CC)
LAUNCHER_START := -static-pie
LAUNCHER_END :=
LAUNCHER_CFLAGS := $(CFLAGS_ALL)
LAUNCHER_JANSSON := $(shell $(CC) -print-file-name=libjansson.a)
ifeq ($(filter clang,$(CC))$(SANITIZE),)
LAUNCHER_CC := musl-gcc
# musl-gcc knows no -static-pie, so the link names what the start and the end of a program are made of.
MUSL := /usr/lib/$(patsubst %-gnu,%-musl,$(shell $(CC) -print-multiarch))
LAUNCHER_START := -static-pie -nostdlib $(MUSL)/rcrt1.o $(MUSL)/crti.o $(shell $(CC) -print-file-name=crtbeginS.o)
LAUNCHER_END := -Wl,--start-group $(MUSL)/libc.a $(shell $(CC) -print-libgcc-file-name) -Wl,--end-group \
	$(shell $(CC) -print-file-name=crtendS.o) $(MUSL)/crtn.o
LAUNCHER_SOURCES += runtime/sandbox/musl/fortify.c runtime/sandbox/musl/relro.c
# The kernel's and jansson's headers from where the system has them, behind musl's own.
LAUNCHER_HEADERS := $(BUILD)/gen/musl-include
LAUNCHER_CFLAGS := -Iruntime/sandbox/musl/include $(CFLAGS_ALL) -idirafter $(LAUNCHER_HEADERS)
$(LAUNCHER_HEADERS):
	@mkdir -p $@.new
	@for name in linux asm asm-generic jansson.h jansson_config.h; do \
		for folder in /usr/include /usr/include/$$($(CC) -print-multiarch); do \
			[ ! -e $$folder/$$name ] || ln -sfn $$folder/$$name $@.new/$$name; done; done
	@mv -T $@.new $@
endif
launcher_objects = $(patsubst %.c,$(BUILD)/$(1)/%.o,$(LAUNCHER_SOURCES)) $(BUILD)/obj/gen/sandbox-profiles.o
$(BUILD)/obj-launcher/%.o: %.c | $(LAUNCHER_HEADERS)
	@mkdir -p $(@D)
	@echo "  CC    $< (launcher)"
	@$(LAUNCHER_CC) $(LAUNCHER_CFLAGS) -MMD -MP -c $< -o $@
$(BUILD)/gbx-sandbox: $(call launcher_objects,obj-launcher)
	@mkdir -p $(@D)
	@echo "  LINK  $@"
	@$(CC) $(LDFLAGS_ALL) $(LAUNCHER_START) $^ $(LAUNCHER_JANSSON) $(LAUNCHER_END) -o $@

# The same launcher with switches by which tests take one layer away, or stop it at a stage; never installed.
$(BUILD)/obj-launcher-switches/%.o: %.c | $(LAUNCHER_HEADERS)
	@mkdir -p $(@D)
	@echo "  CC    $< (switches)"
	@$(LAUNCHER_CC) $(LAUNCHER_CFLAGS) -DGBX_TEST_SWITCHES -MMD -MP -c $< -o $@
$(BUILD)/tests/gbx-sandbox-switches: $(call launcher_objects,obj-launcher-switches)
	@mkdir -p $(@D)
	@echo "  LINK  $@"
	@$(CC) $(LDFLAGS_ALL) $(LAUNCHER_START) $^ $(LAUNCHER_JANSSON) $(LAUNCHER_END) -o $@
tests: $(BUILD)/tests/gbx-sandbox-switches
-include $(foreach f,obj-launcher obj-launcher-switches,$(patsubst %.c,$(BUILD)/$(f)/%.d,$(LAUNCHER_SOURCES)))

PROGRAMS += gbx-image-digest
gbx-image-digest_MAIN := runtime/sandbox/tools/image-digest.c
gbx-image-digest_MODULES := base
gbx-image-digest_LIBS := -lcrypto

# The system call profiles, compiled and embedded.
SANDBOX_PROFILES := lua native native-threads native-network native-redirect engine gate tabulator
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

# A job for tests: static, so that it runs in any image.
$(BUILD)/tests/sandbox-probe: $(BUILD)/obj/tests/tools/sandbox-probe.o
	@mkdir -p $(@D)
	@echo "  LINK  $@"
	@$(CC) $(LDFLAGS_ALL) -static $< -o $@
