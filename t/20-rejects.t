#!/usr/bin/perl
# `oiduna check` and `oiduna dump` on documents with one defect each, t/golden/fuzz/rejects: refused with exit code 1, the
# defect named by its path (NNN.path: one of these; @3: line 3; an empty line: anything), and nothing played.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Program;
use Scratch;
use Test::More;
use TimeLimit;

my $oiduna = oiduna();
plan skip_all => "$oiduna is not there" unless -x $oiduna;

$ENV{HOME} = scratch();

# is one of the paths (or lines) named?
sub is_named {
    my ($text, $file, @paths) = @_;
    $text =~ s/\Q$file\E/FILE/g;
    for (@paths) {
        return 1 if $_ eq '';
        return 1 if /^\@(\d+)$/ ? $text =~ /FILE:$1:/ : $text =~ /(?<![\w.])\Q$_\E(?![\w\[]|\.\w)/;
    }
    return 0;
}

my @files = sort glob 't/golden/fuzz/rejects/*.json';
ok(@files > 0, 't/golden/fuzz/rejects has documents');
for my $file (@files) {
    (my $path_file = $file) =~ s/json$/path/;
    my @paths = split /\n/, slurp($path_file) =~ s/\n\z//r, -1;
    @paths = ('') unless @paths;
    my ($code, $out, $err) = run($oiduna, 'check', $file);
    is($code, 1, "check $file: exit code");
    ok(is_named($err, $file, @paths), "check $file: names $paths[0]") or diag $err;
    ($code, $out, $err) = run($oiduna, 'dump', $file, '--steps', 4);
    is($code, 1, "dump $file: exit code");
    unlike($out, qr/t_ns/, "dump $file: plays nothing");
}

# several files, and warnings
my $good = spew('good.json', '{"tracks":{"a":{"params":{"s":"bd"}}}}');
my $warned = spew('warned.json', '{"tempo":120,"sequences":{"ghost":{}}}');
my ($code, $out, $err) = run($oiduna, 'check', "$good");
is($code, 0, 'check: exit code for a document without defect');
is($out . $err, '', 'check: nothing to say about it');
($code, $out, $err) = run($oiduna, 'check', "$warned");
is($code, 0, 'check: exit code for warnings');
like($err, qr/^oiduna: \Q$warned\E: warning: tempo: /m, 'check: an unknown key');
like($err, qr/^oiduna: \Q$warned\E: warning: sequences\.ghost: /m, 'check: a sequence without track');
($code, $out, $err) = run($oiduna, 'check', "$good", $files[0], '/nonexistent/x.json', $files[1]);
is($code, 1, 'check: exit code when one of several is refused');
like($err, qr/\Q$files[0]\E/, 'check: the first of them');
like($err, qr{/nonexistent/x\.json}, 'check: a missing file');
like($err, qr/\Q$files[1]\E/, 'check: goes on to the last');
is((run($oiduna, 'check'))[0], 2, 'check: exit code without files');
is((run($oiduna, 'check', '--nonsense'))[0], 2, 'check: exit code for an unknown option');

done_testing;
