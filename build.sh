#!/bin/sh
# build.sh: the front door to oiduna's sources: build, run, test, install. `./build.sh help` lists the commands.
#
# build.mk says what is compiled and how. `build`, `install` and `uninstall` only name what the machine lacks; the other
# commands install it (Debian, apt-get).
# Copyright: see LICENSE (GPL-3.0-or-later).
#
# Lists are strings of words, and are meant to split: shellcheck needs to be told.
# shellcheck disable=SC2086
set -eu

caller_directory=$PWD
cd "$(dirname "$0")"

# Tests that measure real time, or keep both cores busy: they run alone, after the others.
ALONE='unit/contract 43-live 44-storm 45-large'
# Tests that a sanitizer only disturbs or that have nothing for it to find.
UNSANITISED='unit/contract unit/audio_contract unit/rt 10-build 43-live 44-storm 80-arm64 90-midi-emulated 91-audio-emulated 92-midi-in-emulated 93-clock-emulated 94-midi-listeners-emulated'
SANITIZE_CFLAGS='-O1 -g -fno-omit-frame-pointer'

usage()
{
    cat <<'END'
usage: [NAME=VALUE…] ./build.sh [COMMAND [ARG…]]

  build [tests]      build/oiduna (the default), with `tests` the test programs too
  run [ARG…]         installs what is missing, builds, plays the demo; ARGs go to `oiduna run`
  test [-v] [NAME…]  installs what is missing, builds, runs the tests; NAME: unit/clock, 20-rejects …
  asan [NAME…]       the tests under AddressSanitizer and UndefinedBehaviorSanitizer
  tsan [NAME…]       the tests under ThreadSanitizer
  coverage [-v] [NAME…]
                     the tests, then how many lines they executed, for each folder; with -v for each file (needs gcc)
  golden [NAME…]     how performances of t/golden differ from what is expected; golden --accept NAME… takes them over
  bench [ARG…]       installs scsynth, too, and measures: voices side by side with it, rendering, decoding, emitting;
                     ARGs: --rounds N, --seconds S, --json
  format [--check]   lays the C sources out; --check only says what is laid out otherwise, too long, or ends in blanks
  lint               looks for mistakes with clang-tidy (.clang-tidy) and cppcheck, in what changed since the last time
  effects            checks that what runs in real time calls only what promises the same (engine/rt.h; clang 20 or newer)
  deps               installs what building and testing needs (apt-get); `test` and `bench` also install what some
                     tests and measurements take besides, an emulator among them, see README.md
  install            installs under PREFIX: binary, configuration, man pages, systemd units, real-time limits
  uninstall          removes what install put there; a configuration that was changed stays
  clean              removes the build directory
  version            prints the version
  help               prints this

  CC, CFLAGS, LDFLAGS  compiler (default cc) and flags (default -O2 -g)
  WERROR=1             a warning is an error
  BUILD                build directory (default build, with another CC than cc or gcc build/CC)
  JOBS                 how much to do at once (default: the number of cores)
  PREFIX, DESTDIR      for install and uninstall, here or after the command: PREFIX=/usr (default /usr/local).
                       A PREFIX in your home directory installs for you alone and needs no root.
END
}

say()
{
    printf 'build.sh: %s\n' "$*" >&2
}

die()
{
    say "$@"
    exit 1
}

misused()
{
    say "$@"
    printf '%s\n' "Try './build.sh help'." >&2
    exit 2
}

have()
{
    command -v "$1" >/dev/null 2>&1
}

can_compile()
{
    printf '#include <stdio.h>\nint main(void) { return 0; }\n' | $CC -x c -o /dev/null - 2>/dev/null
}

# The Debian package of the compiler.
compiler_package()
{
    case $CC in
    cc) echo gcc ;;
    gcc | gcc-[0-9]* | clang | clang-[0-9]*) echo "$CC" ;;
    *) echo "$CC?" ;;
    esac
}

library_package()
{
    case $1 in
    liburing) echo liburing-dev ;;
    liblo) echo liblo-dev ;;
    alsa) echo libasound2-dev ;;
    json-c) echo libjson-c-dev ;;
    inih) echo libinih-dev ;;
    libsystemd) echo libsystemd-dev ;;
    sndfile) echo libsndfile1-dev ;;
    libpng) echo libpng-dev ;;
    esac
}

# Prints the packages that are missing for $1, build or test; looks for what they give, not for their names, so that
# a library built by hand or another distribution does as well.
missing()
{
    can_compile || echo "$(compiler_package) libc6-dev"
    have make || echo make
    have "$PKG_CONFIG" || echo pkg-config
    for library in $LIBRARIES; do
        "$PKG_CONFIG" --exists "$library" 2>/dev/null || library_package "$library"
    done
    if [ "$1" = test ] && ! { have prove && perl -MTest::More -MJSON::PP -e 1; } 2>/dev/null; then
        echo perl
    fi
}

known_compiler()
{
    case $(compiler_package) in
    *\?) can_compile || die "$CC: this compiler (CC) does not work" ;;
    esac
}

as_root()
{
    if [ "$(id -u)" -eq 0 ]; then
        "$@"
    elif have sudo; then
        sudo "$@"
    else
        die "installing packages needs root: run this as root, or install sudo"
    fi
}

apt_get()
{
    as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -y -o DPkg::Lock::Timeout=120 "$@"
}

# Installs the packages $1. The package lists are fetched only when the ones there do not do.
install_packages()
{
    have apt-get || die "missing: $1 (Debian's names); please install them"
    say "missing: $1; installing with apt-get"
    {
        apt-get -s -q install --no-install-recommends $1 >/dev/null 2>&1 || apt_get update
        apt_get install --no-install-recommends $1 || { apt_get update && apt_get install --no-install-recommends $1; }
    } >&2 || die "apt-get could not install: $1"
}

# Installs what is missing for $1.
install_missing()
{
    packages=$(missing "$1" | paste -s -d ' ' -)
    [ -n "$packages" ] || return 0
    known_compiler
    install_packages "$packages"
    packages=$(missing "$1" | paste -s -d ' ' -)
    [ -z "$packages" ] || die "still missing after the installation: $packages"
}

# What tests take that need other programs, or a machine with sound; without it they are skipped and say why, so it is no
# error.
install_companions()
{
    have apt-get || return 0
    packages=''
    { /usr/bin/python3 -c 'import mido' || python3 -c 'import mido'; } 2>/dev/null || packages="$packages python3-mido"
    if [ -e t/emulated ] && [ "$(uname -m)" = x86_64 ]; then
        have qemu-system-x86_64 || packages="$packages qemu-system-x86"
        have busybox || packages="$packages busybox-static"
        have aconnect || packages="$packages alsa-utils"
        have midish || packages="$packages midish"
        have xz || packages="$packages xz-utils"
        have aarch64-linux-gnu-gcc || packages="$packages gcc-aarch64-linux-gnu libc6-dev-arm64-cross"
        have qemu-aarch64 || have qemu-aarch64-static || packages="$packages qemu-user"
        # its kernel is downloaded by the tests, and has to be known
        [ -e build/emulated/kernel ] || [ -n "$(apt-cache depends linux-image-amd64 2>/dev/null)" ] || apt_get update >&2 || :
    fi
    [ -n "$packages" ] || return 0
    say "for tests with other programs:$packages; installing with apt-get"
    apt_get install --no-install-recommends $packages >&2 ||
        { apt_get update && apt_get install --no-install-recommends $packages; } >&2 ||
        say "not installed:$packages; the tests that need it are skipped"
}

# Installs package $2 if there is no program $1.
install_program()
{
    have "$1" || install_packages "$2"
    have "$1" || die "there is no $1; please install it"
}

# What the bench compares with; without it the rack is measured alone.
install_scsynth()
{
    ! have scsynth || return 0
    have apt-get || {
        say "there is no scsynth (Debian: supercollider-server) and no apt-get: the rack is measured alone"
        return 0
    }
    say "for the bench: supercollider-server; installing with apt-get"
    apt_get install --no-install-recommends supercollider-server >&2 ||
        { apt_get update && apt_get install --no-install-recommends supercollider-server; } >&2 ||
        say "not installed: supercollider-server; the rack is measured alone"
}

require()
{
    packages=$(missing build | paste -s -d ' ' -)
    [ -z "$packages" ] || known_compiler
    [ -z "$packages" ] || die "missing: $packages; './build.sh deps' installs that"
}

# Makes what the arguments name of build.mk: all, tests, bench, lint or effects. Two in one directory wait for each other.
run_make()
{
    mkdir -p "$BUILD"
    # make and the compilers must not inherit the lock's descriptor, and the subshell has to keep it: dash would
    # replace the subshell by its last command, so the last command is not make.
    (
        ! have flock || flock 9
        make -s -f build.mk -j "$JOBS" CC="$CC" CFLAGS="$CFLAGS" LDFLAGS="${LDFLAGS-}" WERROR="$WERROR" \
            PKG_CONFIG="$PKG_CONFIG" BUILD="$BUILD" "$@" 9>&- || exit 1
        :
    ) 9>"$BUILD/lock"
}

build()
{
    run_make "$1" || die "the build failed"
}

every_test()
{
    for test in t/*.t t/unit/*.c; do
        [ -e "$test" ] || continue
        test=${test#t/} test=${test%.t}
        echo "${test%.c}"
    done
}

# Whether word $1 is in the list $2.
listed()
{
    case " $2 " in
    *" $1 "*) return 0 ;;
    *) return 1 ;;
    esac
}

absolute()
{
    case $1 in
    /*) echo "$1" ;;
    *) echo "$PWD/$1" ;;
    esac
}

# Prints what prove is to run for the test named $1.
test_program()
{
    name=${1#t/} name=${name%.t} name=${name%.c}
    if [ -e "t/$name.t" ]; then
        echo "t/$name.t"
    elif [ -e "t/unit/${name#unit/}.c" ]; then
        echo "$BUILD/t/${name#unit/}"
    else
        return 1
    fi
}

# Runs the tests named by the arguments, or all; arguments that begin with - are for prove.
run_tests()
{
    options='' names=''
    for argument; do
        case $argument in
        -*) options="$options $argument" ;;
        *) names="$names $argument" ;;
        esac
    done
    if [ -z "$names" ]; then
        for name in $(every_test); do
            if [ -z "$SANITIZER" ] || ! listed "$name" "$UNSANITISED"; then
                names="$names $name"
            fi
        done
    fi
    together='' alone=''
    for name in $names; do
        program=$(test_program "$name") || misused "$name: no such test"
        name=${name#t/} name=${name%.[ct]}
        if listed "$name" "$ALONE"; then
            alone="$alone $program"
        else
            together="$together $program"
        fi
    done
    [ -n "$together$alone" ] || die "there are no tests"

    build tests
    # prove runs what this file names together, and then the rest one by one.
    {
        echo 'par:'
        echo '  - none'
        for program in $together; do
            echo "  - $program"
        done
    } >"$BUILD/testrules.yml"
    OIDUNA=$(absolute "$BUILD")/oiduna
    HARNESS_RULESFILE=$BUILD/testrules.yml OIDUNA_SANITIZER=$SANITIZER
    export OIDUNA HARNESS_RULESFILE OIDUNA_SANITIZER
    $FIXED_ADDRESSES prove --norc -j "$JOBS" $options $together $alone
}

# A report in directory $1, more than a warning, fails the run also where it came from a daemon whose test did not
# look at it.
no_reports()
{
    if grep -q -r -E 'ERROR: |SUMMARY: |runtime error: ' "$1"; then
        cat "$1"/* >&2
        die "reports of the sanitizer: see $1"
    fi
}

# Runs the tests compiled with -fsanitize=$1; the rest are arguments for run_tests.
run_sanitized()
{
    SANITIZER=${1%%,*}
    CFLAGS="${CFLAGS:-$SANITIZE_CFLAGS} -fsanitize=$1 -fno-sanitize-recover=all"
    BUILD=$BUILD/$2
    shift 2
    reports=$(absolute "$BUILD")/reports
    rm -rf "$reports"
    mkdir -p "$reports"
    log=log_path=$reports/report
    ASAN_OPTIONS=$log:handle_abort=1:detect_leaks=1:detect_stack_use_after_return=1${ASAN_OPTIONS:+:$ASAN_OPTIONS}
    UBSAN_OPTIONS=$log:abort_on_error=1:print_stacktrace=1${UBSAN_OPTIONS:+:$UBSAN_OPTIONS}
    TSAN_OPTIONS=$log:second_deadlock_stack=1${TSAN_OPTIONS:+:$TSAN_OPTIONS}
    export ASAN_OPTIONS UBSAN_OPTIONS TSAN_OPTIONS
    # Where the kernel scatters addresses over more bits (vm.mmap_rnd_bits) the sanitizers' maps collide with them.
    if setarch "$(uname -m)" -R true 2>/dev/null; then
        FIXED_ADDRESSES="setarch $(uname -m) -R"
    fi
    status=0
    run_tests "$@" || status=$?
    no_reports "$reports"
    return $status
}

# Runs the tests compiled for gcov, in a directory of their own, and prints what they executed. Counters are shared
# between threads, and those of an earlier run are no part of the result.
run_coverage()
{
    verbose=''
    if [ "${1-}" = -v ]; then
        verbose=-v
        shift
    fi
    case ${CC##*/} in
    cc | gcc) GCOV=gcov ;;
    gcc-*) GCOV=gcov-${CC##*gcc-} ;;
    *) die "coverage is counted with gcc and gcov; CC is $CC" ;;
    esac
    export GCOV
    SANITIZER=coverage
    BUILD=$BUILD/coverage
    CFLAGS="${CFLAGS:-$SANITIZE_CFLAGS} --coverage -fprofile-update=atomic -include .ci/coverage.h"
    mkdir -p "$BUILD"
    find "$BUILD" -name '*.gcda' -exec rm -f {} +
    status=0
    run_tests "$@" || status=$?
    .ci/coverage "$BUILD" $verbose
    return $status
}

# Where things go: for everyone, or, below the home directory, for this user alone.
set_paths()
{
    for argument; do
        case $argument in
        PREFIX=*) PREFIX=${argument#*=} ;;
        DESTDIR=*) DESTDIR=${argument#*=} ;;
        *) misused "$argument: install and uninstall take PREFIX=… and DESTDIR=…" ;;
        esac
    done
    case $PREFIX in
    /*) PREFIX=${PREFIX%/} ;;
    *) misused "PREFIX=$PREFIX: not an absolute path" ;;
    esac
    case $DESTDIR in
    '' | /*) ;;
    *) DESTDIR=$caller_directory/$DESTDIR ;;
    esac
    case $PREFIX/ in
    "${HOME:-/nonexistent}"/*)
        for_everyone=no
        config_directory=${XDG_CONFIG_HOME:-$HOME/.config}/oiduna
        user_units=$PREFIX/share/systemd/user
        ;;
    *)
        for_everyone=yes
        config_directory=/etc/oiduna
        user_units=$PREFIX/lib/systemd/user
        ;;
    esac
}

# Prints what is installed: mode, source, destination, with | between them. The configuration file is not in it,
# because it is the user's once it is there.
manifest()
{
    echo "755|$BUILD/oiduna|$PREFIX/bin/oiduna"
    echo "644|conf/oiduna.service|$user_units/oiduna.service"
    if [ $for_everyone = yes ]; then
        echo "644|conf/oiduna-system.service|$PREFIX/lib/systemd/system/oiduna.service"
        echo "644|conf/95-oiduna.conf|/etc/security/limits.d/95-oiduna.conf"
    fi
    for page in docs/*.[1-8]; do
        [ ! -e "$page" ] || echo "644|$page|$PREFIX/share/man/man${page##*.}/${page##*/}"
    done
    for file in conf/*.json conf/oiduna.conf; do
        [ ! -e "$file" ] || echo "644|$file|$PREFIX/share/oiduna/${file##*/}"
    done
    for file in conf/rack/*.rack; do
        [ ! -e "$file" ] || echo "644|$file|$PREFIX/share/oiduna/rack/${file##*/}"
    done
    for file in docs/examples/*; do
        mode=644
        [ ! -x "$file" ] || mode=755
        [ ! -f "$file" ] || echo "$mode|$file|$PREFIX/share/oiduna/examples/${file##*/}"
    done
    for file in README.md CHANGELOG.md LICENSE docs/*.md docs/*.png docs/*.svg; do
        [ ! -e "$file" ] || echo "644|$file|$PREFIX/share/doc/oiduna/${file##*/}"
    done
}

# The version as the binary prints it.
version()
{
    sed -n 's/^#define OIDUNA_VERSION "\(.*\)"$/\1/p' io/sys/version.h
}

# Copies $2 with mode $1 to $3 below DESTDIR. A unit gets the path of the binary, a man page the version.
put()
{
    mkdir -p "$DESTDIR$(dirname "$3")"
    # A new file in the place of the old one: a daemon that runs keeps its own.
    rm -f "$DESTDIR$3"
    case $2 in
    *.service) sed "s|/usr/local/bin/oiduna|$PREFIX/bin/oiduna|" "$2" >"$DESTDIR$3" ;;
    *.[1-8]) sed "s|^\.Os\$|.Os oiduna $(version)|" "$2" >"$DESTDIR$3" ;;
    *) cp "$2" "$DESTDIR$3" ;;
    esac
    chmod "$1" "$DESTDIR$3"
    echo "  $DESTDIR$3"
}

# Says so before anything is half done.
writable_prefix()
{
    for directory in "$DESTDIR$PREFIX" "$DESTDIR$config_directory"; do
        while [ ! -d "$directory" ]; do
            directory=$(dirname "$directory")
        done
        [ -w "$directory" ] ||
            die "you may not write in $directory: sudo ./build.sh $1, or for you alone: ./build.sh $1 PREFIX=\$HOME/.local"
    done
}

do_install()
{
    set_paths "$@"
    writable_prefix install
    require
    build all
    umask 022
    manifest | while IFS='|' read -r mode source destination; do
        put "$mode" "$source" "$destination"
    done
    if [ ! -e "$DESTDIR$config_directory/oiduna.conf" ]; then
        put 644 conf/oiduna.conf "$config_directory/oiduna.conf"
    elif ! cmp -s conf/oiduna.conf "$DESTDIR$config_directory/oiduna.conf"; then
        say "kept your $DESTDIR$config_directory/oiduna.conf; the new defaults are in $PREFIX/share/oiduna/oiduna.conf"
    fi
    [ -z "$DESTDIR" ] || return 0
    listed "$PREFIX/bin" "$(echo "$PATH" | tr : ' ')" || say "$PREFIX/bin is not in your PATH"
    if [ $for_everyone = yes ]; then
        say "real-time priority is for members of the group audio (adduser NAME audio, then log in again)"
    else
        say "real-time priority needs conf/95-oiduna.conf in /etc/security/limits.d, once, as root"
    fi
    case $PREFIX in
    /usr | /usr/local | "$HOME/.local") say "to start it at every login: systemctl --user enable --now oiduna" ;;
    *) say "to start it at every login: systemctl --user enable --now $user_units/oiduna.service" ;;
    esac
}

do_uninstall()
{
    set_paths "$@"
    writable_prefix uninstall
    manifest | while IFS='|' read -r _ _ destination; do
        rm -f "$DESTDIR$destination"
    done
    if [ -e "$DESTDIR$config_directory/oiduna.conf" ]; then
        if cmp -s conf/oiduna.conf "$DESTDIR$config_directory/oiduna.conf"; then
            rm -f "$DESTDIR$config_directory/oiduna.conf"
        else
            say "kept your $DESTDIR$config_directory/oiduna.conf"
        fi
    fi
    for directory in share/oiduna/examples share/oiduna/rack share/oiduna share/doc/oiduna; do
        rmdir "$DESTDIR$PREFIX/$directory" 2>/dev/null || :
    done
    rmdir "$DESTDIR$config_directory" 2>/dev/null || :
}

# Removes the build directory, if it is one: BUILD may name anything.
do_clean()
{
    [ -e "$BUILD" ] || return 0
    if [ "$BUILD" != build ] && [ ! -e "$BUILD/flags" ]; then
        die "$BUILD: not a build directory"
    fi
    rm -rf "$BUILD"
}

# Whether a SuperDirt listens where it usually does: Linux tells which UDP ports are taken, in hexadecimal.
superdirt_is_there()
{
    awk '$2 ~ /:DF20$/ { found = 1 } END { exit !found }' /proc/net/udp /proc/net/udp6 2>/dev/null
}

# The control socket's folder, for a user that the system gave none (su, containers) and that can't make one in /run.
own_runtime_directory()
{
    if [ -z "${XDG_RUNTIME_DIR:-}" ] && [ "$(id -u)" -ne 0 ] && [ ! -w /run/oiduna ]; then
        XDG_RUNTIME_DIR=$(absolute "$BUILD")/run
        mkdir -p -m 700 "$XDG_RUNTIME_DIR"
        export XDG_RUNTIME_DIR
        say "XDG_RUNTIME_DIR is not set; in your other terminal: export XDG_RUNTIME_DIR=$XDG_RUNTIME_DIR"
    fi
}

# Plays to SuperDirt where it is there, else to the rack; arguments come last and win. Without a sound card the demo is
# rendered to a file, too.
run_demo()
{
    own_runtime_directory
    if ! superdirt_is_there; then
        say "no SuperDirt on port 57120: the built-in rack plays"
        set -- -o routing.tracks_destination=rack "$@"
    fi
    if ! superdirt_is_there && [ ! -e /dev/snd/controlC0 ] && [ ! -S "${XDG_RUNTIME_DIR:-/run}/pulse/native" ]; then
        "$BUILD/oiduna" render conf/demo.json -o "$BUILD/demo.wav" &&
            say "there is no sound card: the demo is in $(absolute "$BUILD")/demo.wav; it is also played, unheard"
    fi
    exec "$BUILD/oiduna" run -s conf/demo.json --play --show "$@"
}

# Arguments are for bench.pl.
run_bench()
{
    build bench
    OIDUNA=$(absolute "$BUILD")/oiduna OIDUNA_BENCH=$(absolute "$BUILD")/bench perl t/bench/bench.pl "$@"
}

no_arguments()
{
    [ $# -eq 1 ] || misused "$1 takes no arguments"
}

default_build()
{
    case ${CC##*[ /]} in
    cc | gcc) echo build ;;
    *) echo "build/${CC##*[ /]}" ;;
    esac
}

: "${CC:=cc}" "${PKG_CONFIG:=pkg-config}" "${PREFIX:=/usr/local}" "${DESTDIR:=}" "${WERROR:=}"
: "${BUILD:=$(default_build)}" "${JOBS:=$(getconf _NPROCESSORS_ONLN 2>/dev/null || echo 2)}"
: "${CFLAGS:=}"
LIBRARIES=$(sed -n 's/^LIBRARIES := //p' build.mk)
SANITIZER='' FIXED_ADDRESSES=''

command=${1:-build}
[ $# -eq 0 ] || shift
case $command in
build)
    if [ $# -gt 1 ] || ! listed "${1:-all}" 'all tests'; then
        misused "build $*: only 'tests' can follow"
    fi
    require
    build "${1:-all}"
    ;;
run)
    install_missing build
    build all
    run_demo "$@"
    ;;
test)
    install_missing test
    install_companions
    run_tests "$@"
    ;;
asan)
    install_missing test
    run_sanitized address,undefined,float-cast-overflow asan "$@"
    ;;
tsan)
    install_missing test
    run_sanitized thread tsan "$@"
    ;;
coverage)
    install_missing test
    run_coverage "$@"
    ;;
golden)
    install_missing build
    build all
    OIDUNA=$(absolute "$BUILD")/oiduna perl t/golden/accept.pl "$@"
    ;;
bench)
    install_missing test
    install_scsynth
    run_bench "$@"
    ;;
format)
    : "${CLANG_FORMAT:=clang-format-14}"
    install_program "$CLANG_FORMAT" clang-format-14
    export CLANG_FORMAT JOBS
    .ci/format "$@"
    ;;
lint)
    no_arguments lint "$@"
    install_missing build
    : "${CLANG_TIDY:=clang-tidy-14}"
    install_program "$CLANG_TIDY" clang-tidy-14
    install_program cppcheck cppcheck
    run_make -k CLANG_TIDY="$CLANG_TIDY" lint || die "lint: see above"
    ;;
effects)
    no_arguments effects "$@"
    install_missing build
    : "${CLANG_EFFECTS:=clang-22}"
    # A compiler that Debian may not have on every machine must not hold up the rest of CI.
    if (install_program "$CLANG_EFFECTS" "$CLANG_EFFECTS"); then
        run_make -k CLANG_EFFECTS="$CLANG_EFFECTS" effects || die "effects: see above"
    else
        say "effects: skipped, because there is no $CLANG_EFFECTS here"
    fi
    ;;
deps)
    no_arguments deps "$@"
    install_missing test
    ;;
install) do_install "$@" ;;
uninstall) do_uninstall "$@" ;;
clean)
    no_arguments clean "$@"
    do_clean
    ;;
version | --version)
    no_arguments version "$@"
    version
    ;;
help | -h | --help) usage ;;
*) misused "$command: no such command" ;;
esac
