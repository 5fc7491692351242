#!/usr/bin/perl
# Whole performances: what `oiduna dump` prints for a document or a script is, to the letter, what is kept beside it.
# cases/NAME.nN.sK.jsonl: NAME.json with engine.steps_per_beat N, K steps.  scripts/NAME.expected.jsonl: NAME.script.jsonl.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Program;
use Scratch;
use Test::More;
use TimeLimit;

my $oiduna = oiduna();
my $golden = 't/golden';

sub first_difference {
    my ($got, $want) = @_;
    my @got  = split /\n/, $got;
    my @want = split /\n/, $want;
    for my $i (0 .. ($#got > $#want ? $#got : $#want)) {
        my ($g, $w) = ($got[$i] // '(nothing)', $want[$i] // '(nothing)');
        return sprintf "line %d\n     got %.300s\nexpected %.300s", $i + 1, $g, $w if $g ne $w;
    }
    return 'the ends differ';
}

sub performs {
    my ($name, $want, @command) = @_;
    open my $out, '-|', "@command 2>/dev/null" or die "$oiduna: $!";
    binmode $out;
    my $got = do { local $/; <$out> } // '';
    close $out;
    ok($got eq $want, $name) or diag first_difference($got, $want);
}

for my $file (sort glob "$golden/fuzz/cases/*.jsonl") {
    my ($name, $n, $steps) = $file =~ m{/(\w+)\.n(\d+)\.s(\d+)\.jsonl$} or next;
    performs("$name at N = $n, $steps steps", slurp($file),
        "$oiduna dump $golden/fuzz/cases/$name.json --steps $steps -o engine.steps_per_beat=$n");
}
for my $file (sort glob "$golden/fuzz/scripts/*.expected.jsonl") {
    my ($name) = $file =~ m{/(\w+)\.expected\.jsonl$};
    performs("script $name", slurp($file), "$oiduna dump --script $golden/fuzz/scripts/$name.script.jsonl");
    my ($last, $back) = (0, 0);
    for (slurp($file) =~ /^\{"t_ns":(-?\d+)/mg) {
        $back++ if $_ < $last;
        $last = $_;
    }
    is($back, 0, "script $name: lines come in order of due time");
}
done_testing();
