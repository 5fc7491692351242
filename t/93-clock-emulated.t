#!/usr/bin/perl
# MIDI clock and notes of seven tempos, by seven daemons in one emulated machine (t/lib/Clocks.pm): each message at its time,
# by the tempo and the start alone, and none lost. Time is that of the machine's processor: the figures do not depend on
# what else runs here. `t/emulated/timing 600` plays ten minutes.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Clocks;
use Guest;
use Test::More;
use TimeLimit seconds => 1200;

my $why_not = Guest::why_not();
plan skip_all => $why_not if $why_not;
my $seconds = 20;
for my $c (Clocks::measure($seconds)) {
    my %per_beat = (clock => 24, notes => 2);
    for my $what (sort keys %per_beat) {
        my $late = $c->{$what};
        my $name = "$c->{bpm} bpm, $what";
        is(scalar(@$late), 1 + int($seconds * $c->{bpm} * $per_beat{$what} / 60 + 0.001), "$name: none is lost");
        cmp_ok(Clocks::late($late, 0), '>', -5, "$name: none is early");
        cmp_ok(Clocks::late($late, 0.99), '<', 100, sprintf "$name: p99 of %.0f us", Clocks::late($late, 0.99));
        cmp_ok(Clocks::late($late, 1), '<', 1000, sprintf "$name: at most %.0f us", Clocks::late($late, 1));
    }
    cmp_ok(abs($c->{drift_ns}), '<', 5000, sprintf "$c->{bpm} bpm: no drift, %.2f us", $c->{drift_ns} / 1000);
}
done_testing();
