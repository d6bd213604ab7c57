# E03: images that put symlinks where the sandbox mounts, and a racer that swaps them during starts.

setup() {
        load lib/common
        top=$(mktemp -d /var/tmp/gbx-images-XXXXXX) # not below a directory that only its owner may enter
        chmod 755 "$top"
        mkdir -p "$top"/canary/pts
        echo untouched >"$top/canary/file"
        echo untouched >"$top/canary/null"
        before=$(canary)
        mounts=$(wc -l </proc/self/mountinfo)
}
teardown() {
        rm -rf "$top"
}
canary() {
        ls -lR --full-time "$top/canary" 2>/dev/null || ls -lR "$top/canary"
        cat "$top/canary/file" "$top/canary/null"
}

image() {
        rm -rf "$top/image"
        mkdir -p "$top"/image/{bin,data,dev,etc,job,out,proc,sys,tmp}
}
# Whatever happens, the host's files and mounts are as before.
unchanged() {
        [ "$before" = "$(canary)" ] || {
                canary
                return 1
        }
        [ "$mounts" -eq "$(wc -l </proc/self/mountinfo)" ]
}
spec() {
        echo '{"image": {"directory": "'"$top/image"'"}}'
}

@test "E03 an image with a symlink where something is mounted is refused, and the place named" {
        for name in dev proc data job out tmp; do
                for target in "$top/canary" / /etc ../../../../../etc /proc/self/root; do
                        ! slow_in_vm || [ $target = "$top/canary" ] || continue
                        image
                        rmdir "$top/image/$name"
                        ln -s "$target" "$top/image/$name"
                        attack plain --expect "refused:'/$name' is, or lies behind, a symlink" --spec "$(spec)" e03_host_files
                done
        done
        unchanged
}
@test "E03 a symlink elsewhere in an image leads nowhere outside of it" {
        for name in sys etc bin; do
                image
                rmdir "$top/image/$name"
                ln -s "$top/canary" "$top/image/$name"
                inside --spec "$(spec)" e03_host_files
        done
        unchanged
}
@test "E03 what an image has below /dev and /proc is not looked at" {
        for name in null zero urandom pts shm fd console tty; do
                ! slow_in_vm || [ $name = null ] || continue
                image
                ln -s "$top/canary/null" "$top/image/dev/$name"
                inside --spec "$(spec)" e03_host_files
        done
        image
        mkdir "$top/image/proc/self"
        ln -s "$top/canary/file" "$top/image/proc/self/uid_map"
        inside --spec "$(spec)" e03_host_files
        unchanged
}
@test "E03 a file or a fifo where a directory should be is refused" {
        image
        rmdir "$top/image/data" && echo x >"$top/image/data"
        attack plain --expect refused --spec "$(spec)" e03_host_files
        image
        rmdir "$top/image/data" && mkfifo "$top/image/data"
        attack plain --expect refused --spec "$(spec)" e03_host_files
        unchanged
}
@test "E03 a mount target that is not plain is refused with its field" {
        for target in ../data /data/../etc data // /data/ /proc/self /dev/null; do
                run attack plain --spec '{"mounts": [{"target": "'"$target"'", "tmpfs": {"bytes": 4096, "inodes": 4}}]}' e03_host_files
                echo "$target: $output"
                echo "$output" | grep -q "^refused: .*mounts\[0\]"
        done
}
@test "E03 an image that is swapped for a symlink while it starts gives nothing away" {
        for name in dev proc data; do
                image
                ln -s "$top/canary" "$top/image/$name.link"
                "$ATTACKS/e03_exchange" 1500 "$top/image" "$name" "$name.link" >"$top/swaps" 3>&- &
                racer=$!
                started=0 refused=0
                while kill -0 $racer 2>/dev/null; do
                        # Refused, or run and stopped in each attempt; a BREACH is neither.
                        if inside --spec "$(spec)" e03_host_files >"$top/log" 2>&1; then
                                started=$((started + 1))
                        elif attack_was_refused "$top/log"; then
                                refused=$((refused + 1))
                        else
                                cat "$top/log"
                                kill $racer
                                return 1
                        fi
                done
                wait $racer
                echo "$name: $(cat "$top/swaps"); $started started, $refused refused"
                [ $((started + refused)) -ge 1 ]
        done
        unchanged
}
attack_was_refused() {
        grep -q '^# refused: ' "$1" && ! grep -q 'BREACH' "$1"
}

# Image files: squashfs and, where there is the tool, erofs. In the virtual machine they are made beforehand.
image_file() { # KIND CONTENT: sets file and digest
        file=$build/tests/images/$2.$1
        if [ -z "${GBX_VM:-}" ]; then
                file=$top/$2.$1
                case $1 in
                squashfs) mksquashfs "$top/image" "$file" -quiet -no-progress >/dev/null ;;
                erofs)
                        command -v mkfs.erofs >/dev/null || skip "no mkfs.erofs"
                        mkfs.erofs "$file" "$top/image" >/dev/null 2>&1
                        ;;
                esac
        fi
        [ -s "$file" ] || skip "no $1 image was made"
        digest=sha256:$(sha256sum "$file" | cut -d' ' -f1)
}
file_spec() {
        echo '{"image": {"file": "'"$(realpath "$file")"'", "digest": "'"$digest"'"}}'
}

@test "E03 image files run, and a symlink in them is refused like in a directory" {
        for kind in squashfs erofs; do
                image
                image_file $kind plain
                inside --spec "$(file_spec)" e03_host_files
                rmdir "$top/image/data" && ln -s /etc "$top/image/data"
                image_file $kind symlink
                attack plain --expect "refused:'/data' is, or lies behind, a symlink" --spec "$(file_spec)" e03_host_files
        done
}
@test "E03 an image file with another digest than the spec's is refused" {
        image
        image_file squashfs plain
        digest=sha256:$(printf '0%.0s' $(seq 64))
        attack plain --expect refused:digest --spec "$(file_spec)" e03_host_files
}
@test "E02 a working directory outside of the root is refused or inside after all" {
        for number in 3 4 5 7 8 9 10 16 30 31 63 64 1023; do
                ! slow_in_vm || [ $number = 30 ] || continue
                run attack stopped --leak --spec '{"cwd": "/proc/self/fd/'$number'"}' e02_descriptors
                echo "$output" | grep -q '^# refused: .*cwd'
        done
        for path in / /tmp /data /proc /out; do
                inside --leak --spec '{"cwd": "'$path'"}' e02_descriptors
        done
        attack plain --expect refused:cwd --spec '{"cwd": "/nowhere"}' e02_descriptors
        attack plain --expect refused:cwd --spec '{"cwd": "../.."}' e02_descriptors
}
