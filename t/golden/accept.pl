#!/usr/bin/perl
# What oiduna gives now, beside what t/golden keeps: each difference as an event with its time and what has changed of it.
#
#   t/golden/accept.pl [NAME…]              # shows; exit code 1 where anything differs
#   t/golden/accept.pl --accept NAME…       # shows, and keeps what is given now as what is expected
#
# NAME: a performance (swing), one of fuzz/ (fuzz/103), or a pattern ('fuzz/*'). OIDUNA is the program (build/oiduna).
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Golden;
use Program qw(oiduna);

my $shown_max = 20;    # lines of one performance

my $accept = @ARGV && $ARGV[0] eq '--accept' ? shift : undef;
if (grep { /^-/ } @ARGV or $accept && !@ARGV) {
    print STDERR "usage: t/golden/accept.pl [NAME…] | --accept NAME…\n";
    exit 2;
}
die oiduna() . ": not built\n" unless -x oiduna();

sub pattern { my ($name) = @_; return join '.*', map { quotemeta } split /\*/, $name, -1 }

my @all = Golden::performances();
my @chosen;
for my $name (@ARGV) {
    my $like = pattern($name);
    my @found = grep { $_->{name} =~ /^$like$/ } @all or die "$name: no such performance; t/golden has " . join(', ', map { $_->{name} } grep { $_->{name} !~ /^fuzz/ } @all) . ", and fuzz/…\n";
    push @chosen, @found;
}
@chosen = @all unless @ARGV;

my $different = 0;
for my $p (@chosen) {
    my $got = Golden::perform($p);
    my @lines = Golden::difference($got, Golden::expected($p)) or next;
    $different++;
    printf "%s: %s%s\n", $p->{name}, @lines == 1 ? '1 line differs' : @lines . ' lines differ', $accept ? '; accepted' : '';
    print map { "$_\n" } @lines > $shown_max ? (@lines[ 0 .. $shown_max - 1 ], '  … and ' . (@lines - $shown_max) . ' more') : @lines;
    Golden::accept_as($p, $got) if $accept;
}
print scalar @chosen, @chosen == 1 ? ' performance, ' : ' performances, ', $different || 'none', " different\n";
exit($different && !$accept ? 1 : 0);
