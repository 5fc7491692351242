#!/usr/bin/perl
# Whole performances: what `oiduna dump` prints for a document or a script is, to the letter, what t/golden keeps.
# `t/golden/accept.pl` shows a difference in full, and takes it over.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Golden;
use Program;
use Scratch;
use Test::More;
use TimeLimit;

my @performances = Golden::performances();
cmp_ok(scalar(grep { $_->{name} !~ m{/} } @performances), '>=', 12, 'there are named performances');
for my $p (@performances) {
    my $want = Golden::expected($p);
    my $got = eval { Golden::perform($p) };
    my @lines = Golden::difference($got // '', $want);
    ok(defined $got && -e $p->{expected} && !@lines, $p->{name}) or diag $@, map { "$_\n" } @lines[ 0 .. ($#lines < 9 ? $#lines : 9) ];
    next unless $p->{arguments} =~ /--script/;
    my ($last, $back) = (0, 0);
    for ($want =~ /^\{"t_ns":(-?\d+)/mg) {
        $back++ if $_ < $last;
        $last = $_;
    }
    is($back, 0, "$p->{name}: lines come in order of due time");
}

for my $p (grep { $_->{name} !~ m{/} } @performances) {
    my ($title, $text) = slurp("$p->{in}/README.md") =~ /\A# (.+)\n\n((?:\S.*\n)+)/;
    ok(length($title // '') && length($text // '') > 80, "$p->{name}: says what it shows");
    my ($code, $out, $err) = run(oiduna(), 'check', glob "$p->{in}/*.json");
    is("$code$out$err", '0', "$p->{name}: its documents pass check");
}
done_testing();
