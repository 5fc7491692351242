#!/usr/bin/perl
# Whole performances from seeds: clients, network, helper and engine on a virtual clock, held to the rules by a referee
# (t/sim). OIDUNA_SIM_SEEDS: how many; OIDUNA_SIM_HOURS: how many of an hour each, with instruments that come and go.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use File::Basename 'dirname';
use Program qw(oiduna said);
use Test::More;
use TimeLimit;

my $sim = dirname(oiduna()) . '/t/sim';
my %fewer = (address => 300, thread => 60);    # the sanitizers are slow
my %fewer_hours = (address => 2, thread => 1);
my $sanitizer = $ENV{OIDUNA_SANITIZER} || '';
my $seeds = $ENV{OIDUNA_SIM_SEEDS} || $fewer{$sanitizer} || 1000;
my $hours = $ENV{OIDUNA_SIM_HOURS} || $fewer_hours{$sanitizer} || 6;
TimeLimit::set(0) if $ENV{OIDUNA_SIM_SEEDS} || $ENV{OIDUNA_SIM_HOURS};

# what it prints, and its exit code
sub run { return said("$sim @_") }

# everything that happens, without how long it took
sub performance {
    my ($said) = run('--verbose', @_);
    return join '', grep { !/^# / } split /^/, $said;
}

my ($said, $exit) = run('--seeds', $seeds);
is $exit, 0, "$seeds performances keep the rules" or diag $said;
note grep { /^# / } split /^/, $said;

($said, $exit) = run('--hours', 1, '--seeds', $hours);
is $exit, 0, "so do $hours of an hour each: every note-on has its off, in order" or diag $said;
note grep { /^# / } split /^/, $said;
my ($notes) = $said =~ /(\d+) notes began and ended/;
my ($unplugged) = $said =~ /unplugged (\d+) times/;
cmp_ok $notes, '>', 5000 * $hours, 'an hour has its notes';
cmp_ok $unplugged, '>', 20 * $hours, 'and its plugs';

my $performance = performance(7);
cmp_ok length $performance, '>', 10_000, 'a performance can be watched';
ok $performance eq performance(7), 'a seed always gives the same performance';
ok $performance ne performance(8), 'another seed gives another one';

is((run('--seed', 1))[1], 2, 'what it does not know is refused');

done_testing;
