# What cannot start is refused when it is handed in, and nothing is left of it.
load site.bash

setup_file() {
        export WORK=$(mktemp -d)
        make_site "$WORK/s"
}

teardown_file() {
        rm -rf "$WORK"
}

# The file is refused with these words at its handing in and at its trying, and the site does not know it.
refused() { # WORDS FILE [OPTION…]
        local words=$1 before
        shift
        before=$(gbx algo ls --as bank-a --json)
        status_is 2 gbx algo submit "$@" --as bank-a
        says "$words"
        status_is 2 gbx algo try "$@" --purpose credit-scoring --as bank-a
        says "$words"
        [ "$(gbx algo ls --as bank-a --json)" = "$before" ]
}

@test "a script that does not compile is refused with its line; none is run" {
        printf 'local a = 1\nlocal b = = 2\n' >"$WORK/wrong.lua"
        refused "script.lua:2: unexpected symbol near '='" "$WORK/wrong.lua"
        printf 'x = 1\n\033]0;owned\007' >"$WORK/terminal.lua"
        refused "script.lua:2: unexpected symbol near '<\\27>'" "$WORK/terminal.lua"
        printf 'while true do end\n' >"$WORK/endless.lua" # compiles: would never end if it were run
        gbx algo submit "$WORK/endless.lua" --as bank-a
}

@test "of a bundle every script is compiled, and the file is named" {
        mkdir -p "$WORK/b/lib"
        printf 'name: b\nengine: lua\nentry: main.lua\n' >"$WORK/b/algorithm.yaml"
        printf 'return 1\n' >"$WORK/b/main.lua"
        printf -- '-- helper\nfunction f(\n' >"$WORK/b/lib/helper.lua"
        tar -C "$WORK/b" -cf "$WORK/b.tar" .
        refused "lib/helper.lua:3: <name> or '...' expected near <eof>" "$WORK/b.tar"
        printf 'not Lua at all, and not said to be\n' >"$WORK/b/lib/notes.txt"
        printf 'return 2\n' >"$WORK/b/lib/helper.lua"
        tar -C "$WORK/b" -cf "$WORK/b.tar" .
        gbx algo submit "$WORK/b.tar" --as bank-a
}

@test "bytecode is refused, alone and in a bundle" {
        printf '\033Lua\124\0\031\223' >"$WORK/code.lua"
        refused "bytecode is refused" "$WORK/code.lua"
        mkdir -p "$WORK/c"
        printf 'name: c\nengine: lua\nentry: main.lua\n' >"$WORK/c/algorithm.yaml"
        cp "$WORK/code.lua" "$WORK/c/main.lua"
        tar -C "$WORK/c" -cf "$WORK/c.tar" .
        refused "text files only" "$WORK/c.tar"
}

@test "a program that needs an interpreter or libraries is refused; a static one is not" {
        printf 'int main(void) { return 0; }\n' >"$WORK/p.c"
        gcc "$WORK/p.c" -o "$WORK/dynamic"
        refused "needs the interpreter '/lib64/ld-linux-x86-64.so.2' and libraries (libc.so.6)" "$WORK/dynamic"
        says "link it statically"
        printf '#include <stdio.h>\nint f(void);\nint f(void) { return puts("x"); }\n' >"$WORK/l.c"
        gcc -shared -fPIC "$WORK/l.c" -Wl,-e,f -o "$WORK/library"
        refused "it is a shared library" "$WORK/library"
        gcc -shared -fPIC "$WORK/l.c" -Wl,-e,0 -o "$WORK/library"
        refused "the ELF binary has no entry point" "$WORK/library"
        gcc -static "$WORK/p.c" -o "$WORK/static"
        gbx algo submit "$WORK/static" --as bank-a
        gcc -static-pie "$WORK/p.c" -o "$WORK/static-pie"
        gbx algo submit "$WORK/static-pie" --as bank-a
}
