# E16: an archive made to do harm is refused as a whole, with the entry named.
# Outside, GNU tar with -P shows that the same archives do what they are made for.

setup() {
        check="${BUILD:-build}/tests/bundle-check"
        work=$BATS_TEST_TMPDIR/work
        mkdir -p "$work/in/deep/place"
        cd "$BATS_TEST_DIRNAME/../.."
}

# Writes $work/x.tar: algorithm.yaml, main.lua, then what the Python lines add with file(), entry() and t.
tar_of() { # PYTHON
        python3 - "$work/x.tar" "$work" <<END
import io, sys, tarfile
work = sys.argv[2]
t = tarfile.open(sys.argv[1], "w", format=tarfile.GNU_FORMAT)
def entry(name, type, link="", size=0):
    i = tarfile.TarInfo(name)
    i.type, i.linkname, i.size, i.mode = type, link, size, 0o644
    return i
def file(name, text=b"x"):
    t.addfile(entry(name, tarfile.REGTYPE, size=len(text)), io.BytesIO(text))
file("algorithm.yaml", b"name: x\nengine: lua\nentry: main.lua\n")
file("main.lua", b"return 1\n")
$1
t.close()
END
}

# The archive is refused with this status and these words, and nothing is unpacked.
refused() { # STATUS WORDS
        mkdir -p "$work/none"
        run "$check" "$work/x.tar" --unpack "$work/none"
        echo "$output"
        [ "$status" -eq "$1" ]
        [[ "$output" == *"$2"* ]]
        [ "$(printf %s "$output" | wc -l)" -eq 0 ]
        [ -z "$(ls -A "$work/none")" ]
}

@test "E16 an honest bundle is read and unpacked (control)" {
        tar_of 'file("lib/stats.lua", b"return {}\n")'
        mkdir "$work/out"
        run "$check" "$work/x.tar" --unpack "$work/out"
        [ "$status" -eq 0 ]
        [ "${lines[0]}" = "archive sha256:$(sha256sum "$work/x.tar" | cut -d' ' -f1)" ]
        [ "$(cat "$work/out/main.lua")" = "return 1" ]
        gzip -k "$work/x.tar"
        "$check" "$work/x.tar.gz"
}

@test "E16 a path that climbs out: works outside, is refused here" {
        tar_of 'file("../../escaped")'
        tar -P -xf "$work/x.tar" -C "$work/in/deep/place"
        [ -e "$work/in/escaped" ]
        refused 2 "entry '../../escaped': the path climbs"
        tar_of 'file("lib/../../escaped")'
        refused 2 "climbs"
}

@test "E16 an absolute path: works outside, is refused here" {
        tar_of 'file(work + "/absolute")'
        tar -P -xf "$work/x.tar" -C "$work/in"
        [ -e "$work/absolute" ]
        refused 2 "an absolute path"
}

@test "E16 a symbolic link and a file through it: works outside, is refused here" {
        mkdir "$work/target"
        tar_of 't.addfile(entry("lib", tarfile.SYMTYPE, work + "/target")); file("lib/planted")'
        tar -P -xf "$work/x.tar" -C "$work/in"
        [ -e "$work/target/planted" ]
        refused 2 "entry 'lib': it is a symbolic link"
}

@test "E16 a hard link to a file of the host: works outside, is refused here" {
        echo secret >"$work/secret"
        tar_of 't.addfile(entry("stolen", tarfile.LNKTYPE, work + "/secret"))'
        tar -P -xf "$work/x.tar" -C "$work/in"
        [ "$(cat "$work/in/stolen")" = secret ]
        refused 2 "entry 'stolen': it is a hard link"
}

@test "E16 devices, fifos and unknown types are refused" {
        tar_of 'i = entry("disk", tarfile.BLKTYPE); i.devmajor, i.devminor = 8, 0; t.addfile(i)'
        refused 2 "entry 'disk': it is a device node"
        tar_of 't.addfile(entry("tty", tarfile.CHRTYPE))'
        refused 2 "it is a device node"
        tar_of 't.addfile(entry("pipe", tarfile.FIFOTYPE))'
        refused 2 "it is a fifo"
}

@test "E16 a sparse file of ten gigabytes in ten kilobytes is refused" {
        (cd "$work/in" && truncate -s 10G huge && tar -S -cf ../x.tar huge)
        [ "$(stat -c %s "$work/x.tar")" -lt 20000 ]
        refused 2 "entry 'huge': it is a sparse file"
        (cd "$work/in" && tar -S --format=pax -cf ../x.tar huge)
        refused 2 "it is a sparse file"
}

@test "E16 compression bombs are refused, in little time" {
        (cd "$work/in" && head -c 200M /dev/zero >bomb && tar -czf ../x.tar bomb && rm bomb)
        [ "$(stat -c %s "$work/x.tar")" -lt 500000 ]
        SECONDS=0
        refused 6 "entry 'bomb': it has 209715200 bytes"
        python3 -c 'import sys, zipfile
z = zipfile.ZipFile(sys.argv[1], "w", zipfile.ZIP_DEFLATED)
for i in range(3): z.writestr("bomb%d" % i, b"\0" * 30000000)' "$work/x.tar"
        refused 6 "entry 'bomb2': with it the archive unpacks to more"
        [ "$SECONDS" -lt 60 ]
}

@test "E16 a hundred thousand entries are refused at the first one too many" {
        tar_of 'for i in range(100000): t.addfile(entry("f%d" % i, tarfile.REGTYPE))'
        refused 6 "the archive: it has more than the 1000 entries allowed"
}

@test "E16 a hundred thousand headers before the first entry do not exhaust the reader" {
        python3 - "$work/x.tar" <<'END'
import sys, tarfile
i = tarfile.TarInfo("x")
i.type, i.size = tarfile.GNUTYPE_LONGNAME, 2
block = i.tobuf(tarfile.GNU_FORMAT) + b"y\0".ljust(512, b"\0")
open(sys.argv[1], "wb").write(block * 60000)
END
        run "$check" "$work/x.tar"
        echo "$output"
        [ "$status" -ne 0 ]
        [ "$status" -lt 128 ]
        [[ "$output" == refused:* ]]
}

@test "E16 names that a terminal or a log would obey are shown, not obeyed" {
        tar_of 'file("a\nforged log line")'
        refused 2 'entry '"'"'a\x0aforged log line'"'"
        tar_of 'file("\x1b]0;owned\x07\x1b[2J")'
        refused 2 '\x1b]0;owned\x07\x1b[2J'
}

@test "E16 two entries of one name, or of names that differ in case only, are refused" {
        tar_of 'file("main.lua", b"return 2\n")'
        refused 2 "entry 'main.lua': there are two entries of this name"
        tar_of 'file("Main.lua")'
        refused 2 "case only"
        tar_of 'file("lib"); file("lib/x")'
        refused 2 "is a file and a directory"
        tar_of 'file("lib/x"); file("LIB/y")'
        refused 2 "case only"
}

@test "E16 one byte changed after approval is another algorithm" {
        tar_of ''
        digest=sha256:$(sha256sum "$work/x.tar" | cut -d' ' -f1)
        "$check" "$work/x.tar" "$digest"
        printf 'X' | dd of="$work/x.tar" bs=1 seek=1200 conv=notrunc status=none
        run "$check" "$work/x.tar" "$digest"
        [ "$status" -eq 5 ]
        [[ "$output" == *"not $digest"* ]]
}
