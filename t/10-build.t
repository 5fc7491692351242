#!/usr/bin/perl
# build.sh as a user meets it: what is built when, where things are installed, what it says to misuse.
# It works on a small tree of its own, so that nothing here depends on how long oiduna takes to compile.
use strict;
use warnings;
use Cwd qw(abs_path getcwd);
use File::Basename qw(dirname);
use File::Copy qw(copy);
use File::Path qw(make_path);
use File::Temp qw(tempdir);
use FindBin;
use lib "$FindBin::Bin/lib";
use JSON::PP qw(decode_json);
use Test::More;
use TimeLimit;

my $top = abs_path(dirname($0) . '/..');
my $dir = tempdir(CLEANUP => 1);
my $tree = "$dir/tree";

delete @ENV{qw(CC CFLAGS LDFLAGS BUILD DESTDIR PREFIX WERROR JOBS OIDUNA HARNESS_RULESFILE MAKEFLAGS MFLAGS MAKELEVEL)};
$ENV{HOME} = "$dir/home";
delete $ENV{XDG_CONFIG_HOME};

sub write_file
{
    my ($path, $text) = @_;
    make_path(dirname($path));
    open my $f, '>', $path or die "$path: $!";
    print $f $text;
    close $f or die "$path: $!";
}

sub read_file
{
    my ($path) = @_;
    open my $f, '<', $path or return "($path: $!)";
    local $/;
    return scalar <$f>;
}

# Runs build.sh in the tree; returns its exit code and all it printed.
sub build
{
    my ($arguments, $environment) = @_;
    my $command = ($environment // '') . " ./build.sh $arguments";
    my $out = `cd '$tree' && $command 2>&1 </dev/null`;
    return ($? >> 8, $out);
}

sub tree
{
    make_path($tree);
    make_path("$tree/.ci");
    for my $file (qw(build.sh build.mk .gitignore .clang-format .ci/format .ci/coverage .ci/coverage.h)) {
        copy("$top/$file", "$tree/$file") or die "$file: $!";
        chmod 0755, "$tree/$file" if -x "$top/$file";
    }
    write_file("$tree/oiduna.c", <<'C');
#include <stdio.h>
#include "engine/beat.h"
int main(void)
{
    printf("%d beats\n", beat_count());
    return fflush(stdout);
}
C
    write_file("$tree/engine/beat.h", "enum { BEATS = 4 };\nint beat_count(void);\n");
    write_file("$tree/engine/beat.c", "#include \"beat.h\"\nint beat_count(void)\n{\n    return BEATS;\n}\n");
    write_file("$tree/t/unit/beat.c", <<'C');
#include <stdio.h>
#include "../../engine/beat.h"
int main(void)
{
    printf("%sok 1 - four beats\n1..1\n", beat_count() == 4 ? "" : "not ");
    return 0;
}
C
    write_file("$tree/t/20-binary.t", <<'PERL');
use Test::More tests => 1;
is(`$ENV{OIDUNA}`, "4 beats\n", 'the binary says so');
PERL
    for (qw(oiduna.conf demo.json)) {
        write_file("$tree/conf/$_", "shipped\n");
    }
    for (qw(oiduna.service oiduna-system.service)) {
        write_file("$tree/conf/$_", "[Service]\nExecStart=/usr/local/bin/oiduna run\n");
    }
    write_file("$tree/conf/95-oiduna.conf", "\@audio - rtprio 95\n");
    write_file("$tree/conf/rack/bd.rack", "create osc vco\n");
    write_file("$tree/io/sys/version.h", "#define OIDUNA_VERSION \"1.2.3\"\n");
    write_file("$tree/docs/oiduna.1", ".Dt OIDUNA 1\n.Os\n");
    write_file("$tree/docs/rack.md", "modules\n");
    write_file("$tree/docs/examples/song.py", "print('{}')\n");
    chmod 0755, "$tree/docs/examples/song.py";
    write_file("$tree/README.md", "read me\n");
    write_file("$tree/LICENSE", "licence\n");
}

sub binary_says
{
    my ($want, $name) = @_;
    is(`'$tree/build/oiduna' 2>&1`, $want, $name);
}

plan skip_all => 'needs make and a compiler' if system('command -v make cc >/dev/null 2>&1');
tree();
my ($code, $out);

subtest 'building' => sub {
    ($code, $out) = build('');
    is($code, 0, 'the default builds') or diag $out;
    binary_says("4 beats\n", 'and what it built runs');
    like($out, qr/CC +engine\/beat\.c/, 'it tells what it compiles');

    ($code, $out) = build('build');
    is($out, '', 'nothing to do when nothing changed');

    write_file("$tree/engine/beat.h", "enum { BEATS = 5 };\nint beat_count(void);\n");
    ($code, $out) = build('');
    like($out, qr/CC +engine\/beat\.c/, 'a changed header compiles its users again');
    binary_says("5 beats\n", 'with the new value');

    write_file("$tree/engine/rack/tone.c", "int tone(void);\nint tone(void)\n{\n    return 1;\n}\n");
    ($code, $out) = build('');
    is($out, "  CC   engine/rack/tone.c\n  LINK build/oiduna\n", 'a new file in a new folder is built, nothing else');
    unlink "$tree/engine/rack/tone.c";
    ($code, $out) = build('');
    is($out, "  LINK build/oiduna\n", 'a removed file is forgotten');

    ($code, $out) = build('', 'CFLAGS=-O0');
    like($out, qr/CC +engine\/beat\.c/, 'other flags compile everything again');
    like(read_file("$tree/build/flags"), qr/ -O0 .*-ffp-contract=off/, 'CFLAGS are honoured, not in place of what must be');

    write_file("$tree/engine/bad.c", "int bad(int x);\nint bad(int x)\n{\n    int unused;\n    return x;\n}\n");
    is((build('', 'WERROR=1'))[0], 1, 'with WERROR a warning is an error');
    is((build(''))[0], 0, 'else it is not');
    write_file("$tree/engine/bad.c", "int bad(\n");
    ($code, $out) = build('');
    is($code, 1, 'a syntax error fails');
    like($out, qr/^build\.sh: the build failed$/m, 'and says so last');
    unlink "$tree/engine/bad.c";

    write_file("$tree/t/unit/beats.h", "enum { WANTED = 5 };\n");
    write_file("$tree/t/unit/count.c", "#include \"beats.h\"\nint main(void)\n{\n    return WANTED - 5;\n}\n");
    build('build tests');
    write_file("$tree/t/unit/beats.h", "enum { WANTED = 6 };\n");
    ($code, $out) = build('build tests');
    is($out, "  TEST t/unit/count.c\n", "a changed header of a test builds that test");
    unlink glob "$tree/t/unit/{beats.h,count.c}";

    # Each would compile beat.c if it did not wait for the other.
    write_file("$tree/engine/beat.h", "enum { BEATS = 6 };\nint beat_count(void);\n");
    $out = `cd '$tree' && { ./build.sh 2>&1 & ./build.sh 2>&1; wait; }`;
    is(() = $out =~ /CC +engine\/beat\.c/g, 1, 'of two builds at once in one directory one waits') or diag $out;
    binary_says("6 beats\n", 'and nothing is broken');

    my %command = map { $_->{file} => "$_->{directory}: $_->{command}" }
        @{decode_json(read_file("$tree/build/compile_commands.json"))};
    is_deeply([sort keys %command], [qw(engine/beat.c oiduna.c t/unit/beat.c)], 'compile_commands.json lists every source');
    like($command{'engine/beat.c'}, qr/^\Q$tree\E: cc -O2 -g -I\. .* -c engine\/beat\.c$/, 'with the command that compiles it');

    $out = `cd '$tree' && make -f build.mk BUILD=plain 2>&1`;
    is($?, 0, 'make alone does as well') or diag $out;
    is(`'$tree/plain/oiduna'`, "6 beats\n", 'with defaults of its own');
    like(read_file("$tree/plain/flags"), qr/ -O2 -g .*-Wconversion/, 'which are those of build.sh');
    is((build('clean', 'BUILD=plain'))[0], 0, 'and clean knows its directory');

    is((build('', 'BUILD=elsewhere'))[0], 0, 'BUILD names another directory');
    ok(-x "$tree/elsewhere/oiduna", 'which gets the binary');
    is((build('clean', 'BUILD=elsewhere'))[0], 0, 'clean removes it');
    ok(!-e "$tree/elsewhere" && -e "$tree/build", 'and only that');
};

subtest 'testing' => sub {
    write_file("$tree/engine/beat.h", "enum { BEATS = 5 };\nint beat_count(void);\n");
    ($code, $out) = build('test');
    is($code, 1, 'a failing test fails the run');
    like($out, qr/^Result: FAIL$/m, 'prove says so');
    write_file("$tree/engine/beat.h", "enum { BEATS = 4 };\nint beat_count(void);\n");
    ($code, $out) = build('test');
    is($code, 0, 'all tests pass') or diag $out;
    like($out, qr/Files=2, Tests=2,.*\nResult: PASS\n\z/, 'the last lines are those of prove');

    ($code, $out) = build('test unit/beat');
    like($out, qr/Files=1, Tests=1,/, 'one test by name');
    ($code, $out) = build('test -v t/20-binary.t');
    like($out, qr/^ok 1 - the binary says so$/m, 'by path, with an option for prove');
    ($code, $out) = build('asan');
    is($code, 0, 'the tests with sanitizers') or diag $out;
    write_file("$tree/engine/beat.c", <<'C');
#include <stdlib.h>
#include "beat.h"
int beat_count(void)
{
    char *volatile lost = NULL;
    for (int i = 0; i < 1000; i++)
        lost = malloc(BEATS);
    return lost ? BEATS : 0;
}
C
    ($code, $out) = build('asan 20-binary');
    like($out, qr/^Result: PASS\n.*LeakSanitizer.*beat_count.*^build\.sh: reports of the sanitizer: see/ms,
        'a report that the test did not see is shown');
    is($code, 1, 'and fails the run');

    ($code, $out) = build('test unit/nosuch');
    is($code, 2, 'a name that is none is misuse');
    like($out, qr/^build\.sh: unit\/nosuch: no such test$/m, 'and is named');
};

subtest 'coverage' => sub {
    plan skip_all => 'needs gcc and gcov' if system('cc --version 2>/dev/null | grep -q "Free Software" && command -v gcov >/dev/null');
    write_file("$tree/engine/never.c", "int never(int x);\nint never(int x)\n{\n    return x;\n}\n");
    write_file("$tree/t/unit/ends.c", <<'C');
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>
#include "engine/beat.h"
int main(void)
{
    if (!fork())
        _exit(beat_count());
    int status;
    wait(&status);
    printf("ok 1\n1..1\n");
    return 0;
}
C
    ($code, $out) = build('coverage -v unit/ends');
    is($code, 0, 'coverage runs tests') or diag $out;
    like($out, qr/^ 100\.0 % +\d+ of +\d+    engine\/beat\.c$/m, 'counts what a child did that ends by _exit');
    like($out, qr/^   0\.0 % +0 of +\d+    engine\/never\.c$/m, 'and what nothing did');
    like($out, qr/^ +[\d.]+ % +\d+ of +\d+  engine$/m, 'by folder');
    unlike($out, qr{ of .* t/unit}, 'of the program, not of the tests');
    unlink "$tree/engine/never.c", "$tree/t/unit/ends.c";
};

# An apt-get that writes down how it was called and, at `install`, makes the pkg-config here know liblo.
subtest 'installing what is missing' => sub {
    my $bin = "$dir/bin";
    my $log = "$dir/apt.log";
    my $pkg_config = `sh -c 'command -v pkg-config'`;
    chomp $pkg_config;
    write_file("$bin/pkg-config", "#!/bin/sh\ncase \$* in '--exists liblo') [ -e '$dir/has_liblo' ];;"
          . " *) exec $pkg_config \"\$@\";; esac\n");
    write_file("$bin/apt-get", "#!/bin/sh\ncase \$* in *-s*) exit 0;; esac\n"
          . "echo \"\$ROOT \$DEBIAN_FRONTEND \$*\" >>'$log'\n: >'$dir/has_liblo'\n");
    write_file("$bin/id", "#!/bin/sh\necho 1000\n");
    write_file("$bin/sudo", "#!/bin/sh\nROOT=root exec \"\$@\"\n");
    chmod 0755, glob "$bin/*";
    local $ENV{PATH} = "$bin:$ENV{PATH}";

    ($code, $out) = build('');
    is($code, 1, 'a mere build does not');
    is($out, "build.sh: missing: liblo-dev; './build.sh deps' installs that\n", 'but names the package and the command');
    ok(!-e $log, 'apt-get was not called');
    ($code, $out) = build('test');
    is($code, 0, 'test does, and goes on') or diag $out;
    like($out, qr/^build\.sh: missing: liblo-dev; installing with apt-get$/m, 'it says what');
    like(read_file($log), qr/^root noninteractive -q -y .*install --no-install-recommends liblo-dev\n\z/,
        'apt-get was called once, through sudo, asking nothing');
    unlink $log;
    is((build('test'))[0], 0, 'again');
    ok(!-e $log, 'apt-get is not called when nothing is missing');
};

subtest 'layout' => sub {
    plan skip_all => 'needs git and clang-format-14' if system('command -v git clang-format-14 >/dev/null 2>&1');
    system("git init -q '$tree'") == 0 or die 'git init';
    ($code, $out) = build('format --check');
    is($code, 0, 'check has nothing to say') or diag $out;
    write_file("$tree/engine/long.c", '/* ' . 'é' x 120 . " */\n\nint long_one;\n");
    write_file("$tree/engine/loose.c", "int  loose;\n");
    write_file("$tree/engine/tab.c", "/* a\ttab */\n");
    write_file("$tree/docs/note.md", "blank \n");
    ($code, $out) = build('format --check');
    is($code, 1, 'check fails');
    like($out, qr/\Q$_\E/, "on $_") for "engine/loose.c:1:4: error: code should be clang-formatted",
        'engine/long.c:1:', 'engine/tab.c:1:', 'docs/note.md:1:blank ';
    unlike($out, qr/^engine\/beat/m, 'and on nothing else');
    is((build('format'))[0], 0, 'format');
    is(read_file("$tree/engine/loose.c"), "int loose;\n", 'mends what it can');
    unlink map { "$tree/$_" } qw(engine/long.c engine/loose.c engine/tab.c docs/note.md);
    is((build('format --check'))[0], 0, 'then check is content');
    is((build('format now'))[0], 2, 'anything else is misuse');
};

subtest 'installing' => sub {
    my $root = "$dir/root";
    ($code, $out) = build("install DESTDIR=$root");
    is($code, 0, 'install') or diag $out;
    my %mode = (
        '/usr/local/bin/oiduna' => 0755,
        '/usr/local/lib/systemd/user/oiduna.service' => 0644,
        '/usr/local/lib/systemd/system/oiduna.service' => 0644,
        '/usr/local/share/man/man1/oiduna.1' => 0644,
        '/usr/local/share/oiduna/demo.json' => 0644,
        '/usr/local/share/oiduna/oiduna.conf' => 0644,
        '/usr/local/share/oiduna/rack/bd.rack' => 0644,
        '/usr/local/share/oiduna/examples/song.py' => 0755,
        '/usr/local/share/doc/oiduna/rack.md' => 0644,
        '/usr/local/share/doc/oiduna/README.md' => 0644,
        '/usr/local/share/doc/oiduna/LICENSE' => 0644,
        '/etc/oiduna/oiduna.conf' => 0644,
        '/etc/security/limits.d/95-oiduna.conf' => 0644,
    );
    is_deeply([files($root)], [sort keys %mode], 'puts these files');
    is_deeply({map { $_ => (stat "$root$_")[2] & 07777 } keys %mode}, \%mode, 'with these modes');

    is(read_file("$root/usr/local/share/man/man1/oiduna.1"), ".Dt OIDUNA 1\n.Os oiduna 1.2.3\n",
        'the man page names the version of the header');
    is((build('version'))[1], "1.2.3\n", 'which `version` prints');

    write_file("$root/etc/oiduna/oiduna.conf", "mine\n");
    ($code, $out) = build("install DESTDIR=$root");
    is(read_file("$root/etc/oiduna/oiduna.conf"), "mine\n", 'a configuration that is there is kept');
    like($out, qr/kept your .*oiduna\.conf/, 'and said to be');
    ($code, $out) = build("uninstall DESTDIR=$root");
    is_deeply([files($root)], ['/etc/oiduna/oiduna.conf'], 'uninstall leaves what the user changed, and only that');
    write_file("$root/etc/oiduna/oiduna.conf", "shipped\n");
    build("uninstall DESTDIR=$root");
    is_deeply([files($root)], [], 'and nothing of what he did not');
    is_deeply([grep { -d "$root$_" } map { "/usr/local/share/$_" } qw(oiduna doc/oiduna)], [], 'no folder of its own either');

    build("install PREFIX=/usr", "DESTDIR=$root");
    like(read_file("$root/usr/lib/systemd/system/oiduna.service"), qr{^ExecStart=/usr/bin/oiduna run$}m,
        'the units name the binary where it is');
    ok(-x "$root/usr/bin/oiduna", 'PREFIX and DESTDIR come from either side');

    make_path($ENV{HOME});
    ($code, $out) = build("install PREFIX=$ENV{HOME}/.local");
    is($code, 0, 'a prefix in the home directory') or diag $out;
    like($out, qr{^build\.sh: \Q$ENV{HOME}\E/\.local/bin is not in your PATH$}m, 'it says what the shell does not look into');
    is_deeply([grep { !m{/share/(?:doc|man|oiduna)/} } files($ENV{HOME})],
        ['/.config/oiduna/oiduna.conf', '/.local/bin/oiduna', '/.local/share/systemd/user/oiduna.service'],
        'writes nothing outside it');
    unlike($out, qr{^ +/(?:etc|usr)}m, 'and does not try');

    SKIP: {
        my $nobody = $> ? '' : 'setpriv --reuid 65534 --regid 65534 --clear-groups';
        chmod 0755, $dir;
        skip 'nobody may not look into it', 2 if system("$nobody test -r '$tree/build.sh'");
        for my $command (qw(install uninstall)) {
            ($code, $out) = build($command, $nobody);
            is($out, "build.sh: you may not write in /usr/local: sudo ./build.sh $command, or for you alone: ./build.sh $command PREFIX=\$HOME/.local\n",
                "$command by an ordinary user: says how it is done");
        }
    }
};

subtest 'playing' => sub {
    write_file("$tree/oiduna.c", <<'C');
#include <stdio.h>
#include <stdlib.h>
int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++)
        printf("%s ", argv[i]);
    const char *runtime = getenv("XDG_RUNTIME_DIR");
    printf("(%s)\n", runtime ? runtime : "none");
    return 0;
}
C
    ($code, $out) = build('run -o engine.cpu=0', 'XDG_RUNTIME_DIR=/here');
    is($code, 0, 'run builds and runs') or diag $out;
    like($out, qr{^run -s conf/demo\.json --play --show (?:-o routing\.tracks_destination=rack )?-o engine\.cpu=0 \(/here\)\n\z}m,
        'the demo, with what it was told last');
    my $played = $out =~ /^build\.sh: no SuperDirt on port 57120: the built-in rack plays$/m;
    is($out =~ /tracks_destination=rack/ ? 1 : 0, $played ? 1 : 0, 'where there is no SuperDirt the rack plays, and that is told');
    local $ENV{PATH} = "$dir/bin2:$ENV{PATH}";
    write_file("$dir/bin2/id", "#!/bin/sh\necho 1000\n");
    chmod 0755, "$dir/bin2/id";
    if (-w '/run/oiduna') {
        note '/run/oiduna is there';
    } else {
        ($code, $out) = build('run', 'env -u XDG_RUNTIME_DIR');
        like($out, qr{in your other terminal: export XDG_RUNTIME_DIR=\Q$tree\E/build/run$}m,
            'a user without a runtime directory gets one and is told which');
        like($out, qr{\(\Q$tree\E/build/run\)\n\z}, 'the daemon too');
    }
};

subtest 'the real files' => sub {
    for my $unit (qw(oiduna.service oiduna-system.service)) {
        my $text = read_file("$top/conf/$unit");
        for my $line ('Type=notify', 'ExecStart=/usr/local/bin/oiduna run', 'RuntimeDirectory=oiduna') {
            like($text, qr/^\Q$line\E$/m, "$unit has $line");
        }
        like($text, qr/^$_=\S+$/m, "$unit sets $_") for qw(LimitRTPRIO LimitMEMLOCK WatchdogSec);
        like($text, qr/^SystemCallFilter=\@system-service$/m, "$unit leaves io_uring allowed");
    }
    like(read_file("$top/conf/95-oiduna.conf"), qr/^\@audio\s+-\s+$_\s/m, "limits.d gives $_ to the group audio")
        for qw(rtprio memlock);
    my @absent = grep { !-e "$top/$_" }
        qw(LICENSE README.md CHANGELOG.md conf/oiduna.conf conf/demo.json docs/oiduna.1 docs/oiduna.conf.5);
    is_deeply(\@absent, [], 'everything that is installed exists');

    chomp(my $version = `'$top/build.sh' version`);
    like($version, qr/^\d+\.\d+\.\d+$/, 'the version');
    my ($newest) = read_file("$top/CHANGELOG.md") =~ /^## (\d\S*) \(\d{4}-\d\d-\d\d\)$/m;
    is($newest, $version, 'is that of the newest entry of CHANGELOG.md, apart from what is unreleased');
    for my $doc (glob "$top/docs/*.md") {
        is($_, $version, "and that of the examples in $doc") for read_file($doc) =~ /"version":\s*"([^"]*)"/g;
    }
};

subtest 'misuse' => sub {
    for my $arguments ('nosuch', 'clean now', 'build it', 'deps x', 'version 2', 'install /tmp', 'install PREFIX=here') {
        ($code, $out) = build($arguments);
        is($code, 2, "'$arguments' is refused");
        like($out, qr/^build\.sh: .+\nTry '\.\/build\.sh help'\.\n\z/, 'with a reason and where to look');
    }
    ($code, $out) = build('help');
    is($code, 0, 'help');
    like($out, qr/^  $_\b/m, "it explains $_") for qw(build run test asan tsan coverage golden bench format lint deps install uninstall clean version);
    ($code, $out) = build('', 'CC=nosuch-cc');
    is($code, 1, 'a compiler that is none fails');
    like($out, qr/nosuch-cc: this compiler \(CC\) does not work/, 'and is named');
    write_file("$dir/precious/file", 'text');
    ($code, $out) = build('clean', "BUILD=$dir/precious");
    is($code, 1, 'clean refuses what is no build directory');
    ok(-e "$dir/precious/file", 'and leaves it alone');
    is((build('clean'))[0], 0, 'clean');
    ok(!-e "$tree/build", 'removes the build directory');
    is((build('clean'))[0], 0, 'also when there is none');
};

# All plain files below a directory, without its name, sorted.
sub files
{
    my ($below) = @_;
    return sort map { chomp; substr $_, length $below } `find '$below' -type f`;
}

done_testing();
