# gbx-lua is one static file, so that its image needs no other (images/lua), and has no build id, which would
# make the image depend on the path of the source.
PROGRAMS += gbx-lua
gbx-lua_MAIN := runtime/engine/main.c
gbx-lua_MODULES := runtime/engine base
gbx-lua_LIBS := -llua5.4 -ljansson -lm
gbx-lua_LDFLAGS := -static-pie -Wl,--build-id=none
