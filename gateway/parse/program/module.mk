# gbx-parse reads what strangers hand in. Static: there is nothing to load, and nothing else in it. The sanitizers need
# a dynamic one.
comma := ,
PARSE_MODULES := gateway/parse/program gateway/parse gateway/parse/codecs gateway/egress base
PARSE_LIBS := -larchive $(BUILD)/lib/gateway-parse-codecs.a -lz -llua5.4 -lcrypto -lm
PARSE_LDFLAGS := $(if $(SANITIZE),-pie,-static-pie -s -Wl$(comma)--no-warnings)
OWN_MODULES += gateway/parse/codecs

PROGRAMS += gbx-parse
gbx-parse_MAIN := gateway/parse/program/main.c
gbx-parse_MODULES := $(PARSE_MODULES)
gbx-parse_LIBS := $(PARSE_LIBS)
gbx-parse_LDFLAGS := $(PARSE_LDFLAGS)

# Its own system call profile, compiled and embedded.
$(BUILD)/gen/parser-profile.c: $(BUILD)/gen/profile-compiler policy/profiles/parser
	@echo "  GEN   $@"
	@$< --alone policy/profiles parser >$@.new && mv $@.new $@
$(BUILD)/obj/gen/parser-profile.o: $(BUILD)/gen/parser-profile.c
	@mkdir -p $(@D)
	@$(CC) $(CFLAGS_ALL) -c $< -o $@
$(BUILD)/lib/gateway-parse-program.a: $(BUILD)/obj/gen/parser-profile.o

# The same with verbs that misbehave, where test programs look for it: beside themselves. Never installed.
PARSE_SWITCHES := $(patsubst %,$(BUILD)/obj-parse-switches/gateway/parse/program/%.o,main misbehave)
$(BUILD)/obj-parse-switches/%.o: %.c
	@mkdir -p $(@D)
	@echo "  CC    $< (switches)"
	@$(CC) $(CFLAGS_ALL) -DGBX_TEST_SWITCHES -MMD -MP -c $< -o $@
$(BUILD)/tests/gbx-parse: $(PARSE_SWITCHES) $(patsubst %,$(BUILD)/lib/%.a,$(subst /,-,$(PARSE_MODULES)))
	@mkdir -p $(@D)
	@echo "  LINK  $@"
	@$(CC) $(LDFLAGS_ALL) $(PARSE_LDFLAGS) $(PARSE_SWITCHES) -Wl,--start-group $(filter %.a,$^) -Wl,--end-group $(PARSE_LIBS) -o $@
$(BUILD)/tests/unit/gbx-parse: $(BUILD)/tests/gbx-parse
	@mkdir -p $(@D)
	@ln -sfn ../gbx-parse $@
tests: $(BUILD)/tests/unit/gbx-parse
-include $(PARSE_SWITCHES:.o=.d)
